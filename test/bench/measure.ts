import { readdirSync, renameSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { run, until } from '../peers/command.ts'
import { cpuOf, memoryOf } from '../peers/usage.ts'
import type { Cell } from './cells.ts'
import type { Sink } from './sink.ts'
import type { System } from './system.ts'

/** One run of one cell. */
export interface Sample {
  readonly perSecond: number
  /** CPU seconds per 1,000 messages, of the system alone. */
  readonly cpu: number
  /** MiB, the highest seen. */
  readonly memory: number
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

/** Load a system with so many messages of one cell and wait until the last has arrived. */
export const measure = async (
  system: System,
  { cell, count }: { readonly cell: Cell; readonly count: number },
  sink: Sink,
): Promise<Sample> => {
  const { port, to } = system.target(cell.work)
  const pid = system.pid(cell.work)
  if (cell.work === 'maildir') setAside(system.maildir)
  const before = { cpu: cpuOf(pid), sunk: sink.count() }
  let memory = memoryOf(pid)
  const watch = setInterval(() => (memory = Math.max(memory, memoryOf(pid))), 400)
  const args = [
    '-s',
    String(cell.sessions),
    '-m',
    String(count),
    '-l',
    String(cell.kib * 1024),
    ...(cell.keep ? ['-d'] : []),
  ]
  const begin = performance.now()
  const sent = await run('/usr/sbin/smtp-source', [...args, '-f', 'ann@load.test', '-t', to, `127.0.0.1:${port}`], {
    timeoutMs: 120_000,
  })
  if (sent.code !== 0) throw new Error(`smtp-source failed against ${system.name}: ${sent.stderr.slice(0, 500)}`)
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
  return { perSecond: count / seconds, cpu: ((cpuOf(pid) - before.cpu) / count) * 1000, memory }
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}
