import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { compactQueue, restoreQueue, type BackupSummary } from '@posthorn/queue'
import { directories } from '@posthorn/stack'
import { systemClock } from '@posthorn/system'
import { actor } from './actor.ts'
import { connectControl } from './control.ts'
import { Failure } from './failure.ts'
import { settingsOf, withQueue } from './queue-access.ts'
import { readRunning } from './running.ts'
import { type StateOptions, withState } from './state-option.ts'
import { octets, terminal } from './terminal.ts'

const contents = ({ messages, deliveries, octets: size }: BackupSummary): string =>
  `${messages} ${messages === 1 ? 'message' : 'messages'} with ${deliveries} ${deliveries === 1 ? 'delivery' : 'deliveries'}, ${octets(size)}`

/** Where the queue is that the options mean; refuses one in a database, which has tools of its own. */
const queueDirectory = async (o: StateOptions, instead: string): Promise<string> => {
  const { config, state } = await settingsOf(o)
  if (config.queue !== 'embedded') throw new Failure(`the queue is in a database: ${instead}`)
  return directories(state).queue
}

/** What it throws is told in one line. */
const orFail = async <T>(work: () => T | Promise<T>): Promise<T> => {
  try {
    return await work()
  } catch (error) {
    throw new Failure(error instanceof Error ? error.message : String(error))
  }
}

const backUp = async (directory: string, o: StateOptions): Promise<void> => {
  const out = terminal(o.json === true)
  const to = resolve(directory)
  await queueDirectory(o, 'back it up with that, as by pg_dump')
  await withQueue(o, async queue => {
    const made = await orFail(() => queue.backUp(to, actor()))
    out.value({ backup: to, ...made })
    out.line(`saved ${contents(made)}, in ${to}`)
    out.line(out.dim('What leaves the queue from now on would be sent again after a restore of it.'))
  })
}

/** A server whose queue directory was moved away under it still has it open, and nothing of that is seen where it stood. */
const refuseBesideServer = async (o: StateOptions): Promise<void> => {
  const { state } = await settingsOf(o)
  const running = readRunning(state)
  const control = running && (await connectControl(running.control))
  if (running === undefined || control === undefined) return
  control.close()
  throw new Failure(`a server runs on ${state}, process ${running.pid}: stop it first`)
}

const restore = async (from: string, o: StateOptions & { readonly dryRun?: boolean }): Promise<void> => {
  const out = terminal(o.json === true)
  const directory = await queueDirectory(o, 'restore it with that, as by pg_restore')
  const dryRun = o.dryRun === true
  if (!dryRun && !existsSync(directory)) await refuseBesideServer(o)
  const now = systemClock.wall()
  const restored = await orFail(() => restoreQueue(from, directory, { dryRun, now }))
  out.value({ restored: directory, dryRun, ...restored })
  out.line(`${dryRun ? 'the backup is whole; would restore' : 'restored'} ${contents(restored)}, to ${directory}`)
  if (restored.aside !== undefined) out.line(`The empty queue that stood there is in ${restored.aside}.`)
  out.line(`It is the queue of ${new Date(restored.at).toISOString()}: what came in since then is not in it, and`)
  out.line('what has left since then will be sent again.')
  if (restored.attempted > 0)
    out.line(
      `Of ${restored.attempted} attempts were under way: those may be delivered twice even if it was the last moment.`,
    )
  if (!dryRun) out.line('The next start sends it; before that, posthorn queue list, hold and drop work on it.')
}

const compact = async (o: StateOptions): Promise<void> => {
  const out = terminal(o.json === true)
  const directory = await queueDirectory(o, 'it compacts itself')
  if (!existsSync(directory)) throw new Failure(`there is no queue ${directory}; name another with --state or --config`)
  const show = process.stderr.isTTY && !out.json
  const progress = (done: number, of: number): void =>
    void process.stderr.write(`\r${octets(done)} of ${octets(of)} written `)
  const { before, after } = await orFail(() => compactQueue(directory, show ? { progress } : {}))
  if (show) process.stderr.write('\r\u001b[K')
  const freed = Math.max(0, before - after)
  out.value({ compacted: directory, before, after, freed })
  out.line(`${octets(freed)} given back: ${octets(before)} before, ${octets(after)} now`)
}

/** `posthorn queue backup` and what belongs to it. */
export const addBackupCommands = (queue: Command): void => {
  withState(queue.command('backup <directory>'))
    .description('copy the whole queue into a new directory, whether the server runs or not')
    .action(backUp)
  withState(queue.command('restore <directory>'))
    .description('put a backup in the place of a queue that is empty, while no server runs')
    .option('--dry-run', 'only check the backup, and say what it holds')
    .action(restore)
  withState(queue.command('compact'))
    .description('give the space of what has left back to the file system, while no server runs')
    .action(compact)
}
