import { readdirSync, renameSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run, until } from '../peers/command.ts'
import { cpuOf, memoryOf } from '../peers/usage.ts'
import type { Cell } from './cells.ts'
import type { Sink } from './sink.ts'
import type { Login, System } from './system.ts'

/** One run of one cell. */
export interface Sample {
  readonly perSecond: number
  /** CPU seconds per 1,000 messages, of the system alone. */
  readonly cpu: number
  /** MiB, the highest seen. */
  readonly memory: number
  /** The same just before the run. */
  readonly idle: number
}

const delivered = (maildir: string): number => {
  try {
    return readdirSync(join(maildir, 'new')).length
  } catch {
    return 0
  }
}

let aside = 0
/** Old Maildirs are moved, not deleted: mass deletes slow the next run on some file systems. */
const setAside = (maildir: string): void => {
  if (existsSync(join(maildir, 'new'))) renameSync(maildir, `${maildir}.old${++aside}`)
}

const sum = (pids: readonly number[], of: (pid: number) => number): number =>
  pids.reduce((total, pid) => total + of(pid), 0)

const submitters = fileURLToPath(new URL('submitters.py', import.meta.url))

/** What sends so many messages of a cell. */
const load = (
  cell: Cell,
  count: number,
  at: ReturnType<System['target']>,
  login: Login,
): readonly [string, string[]] => {
  const { port, to } = at
  if (cell.work === 'submission') {
    const numbers = [port, cell.sessions, count, cell.kib * 1024].map(String)
    return ['/usr/bin/python3', [submitters, ...numbers, login.user, login.password, to]]
  }
  const args = [
    '-s',
    String(cell.sessions),
    '-m',
    String(count),
    '-l',
    String(cell.kib * 1024),
    ...(cell.keep ? ['-d'] : []),
  ]
  return ['/usr/sbin/smtp-source', [...args, '-f', 'ann@load.test', '-t', to, `127.0.0.1:${port}`]]
}

/** So many messages of a cell. */
export interface Run {
  readonly cell: Cell
  readonly count: number
  readonly login: Login
}

/** Load a system with so many messages of one cell and wait until the last has arrived. */
export const measure = async (system: System, { cell, count, login }: Run, sink: Sink): Promise<Sample> => {
  const pids = system.pids(cell.work)
  if (cell.work === 'maildir') setAside(system.maildir)
  const before = { cpu: sum(pids, cpuOf), sunk: sink.count(), memory: sum(pids, memoryOf) }
  let { memory } = before
  const watch = setInterval(() => (memory = Math.max(memory, sum(pids, memoryOf))), cell.work === 'large' ? 50 : 400)
  const [program, args] = load(cell, count, system.target(cell.work), login)
  const begin = performance.now()
  const sent = await run(program, args, { timeoutMs: 120_000 })
  if (sent.code !== 0) throw new Error(`the load failed against ${system.name}: ${sent.stderr.slice(0, 500)}`)
  if (cell.work === 'maildir')
    await until(
      'the last message in the Maildir',
      () => (delivered(system.maildir) >= count ? true : undefined),
      60_000,
    )
  if (cell.work === 'relay')
    await until('the last message at the sink', () => (sink.count() - before.sunk >= count ? true : undefined), 60_000)
  const seconds = (performance.now() - begin) / 1000
  clearInterval(watch)
  // What is still being tidied up after the last message belongs to its cost.
  await new Promise(resolve => setTimeout(resolve, 300))
  return {
    perSecond: count / seconds,
    cpu: ((sum(pids, cpuOf) - before.cpu) / count) * 1000,
    memory,
    idle: before.memory,
  }
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}
