import { existsSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { backup as copyPages, DatabaseSync } from 'node:sqlite'
import { formatId } from '@posthorn/queue-base'
import { openReader } from './connection.ts'
import { copyFile, sumOf, syncFile } from './copy-file.ts'
import type { Sum } from './copy-file.ts'
import { layoutOf, syncDirectory, touchFile } from './directory.ts'
import type { Layout } from './directory.ts'
import { writeManifest } from './manifest.ts'
import type { BackupSummary } from './manifest.ts'
import { spoolFault } from './spool-fault.ts'

/** Pages (of 4 KiB) that are copied between two looks at anything else. */
const pagesPerStep = 2000

/**
 * The rows as they are at one moment, in a file of their own. A read transaction holds that moment while others write: without it
 * the copy would begin anew with each of their commits.
 */
const copyRows = async (from: string, to: string): Promise<void> => {
  const db = openReader(from)
  try {
    db.exec('begin')
    db.prepare('select count(*) from meta').get()
    await copyPages(db, to, { rate: pagesPerStep })
  } finally {
    db.close()
  }
}

interface Copied extends Pick<BackupSummary, 'messages' | 'deliveries' | 'attempted'> {
  /** What has a file: its name, and the size that the row says. */
  readonly spooled: readonly { readonly id: string; readonly octets: number }[]
}

/** Look at the copy, and make it one file that needs no log. Throws when the queue is damaged. */
const lookAt = (path: string): Copied => {
  const db = new DatabaseSync(path)
  try {
    db.exec('pragma journal_mode = delete')
    const [verdict] = db.prepare('pragma quick_check(1)').all()
    if (verdict?.['quick_check'] !== 'ok')
      throw new Error(`the queue itself is damaged: ${String(verdict?.['quick_check'])}`)
    const one = (sql: string): number => Number(db.prepare(`select count(*) as n from ${sql}`).get()?.['n'])
    const spooled = db.prepare('select id, nonce, spooled from message where pending > 0 and spooled > 0').all()
    return {
      messages: one('message where pending > 0'),
      deliveries: one('delivery'),
      attempted: one('delivery where state = 1'),
      spooled: spooled.map(m => ({
        id: formatId(m['id'] as number, m['nonce'] as number),
        octets: m['spooled'] as number,
      })),
    }
  } finally {
    db.close()
  }
}

/** The name of a backup while it is being made. */
export const unfinishedBackup = (target: string, now: number): string =>
  `${resolve(target)}.unfinished-${process.pid}-${now}`

/**
 * Copy a queue that may be in use into a new directory, `target`, which has that name only when all of it is on stable storage; what is
 * cut short is left beside it as `….unfinished-…`. While this runs, no file of the spool may be removed: the rows come first, then the
 * files that they name. A file that is damaged in the queue itself is missing in the copy as well, and told of when its turn comes.
 */
export const backUp = async (layout: Layout, target: string, now: number): Promise<BackupSummary> => {
  const at = resolve(target)
  if (existsSync(at)) throw new Error(`${at} is there already; a backup makes a new directory`)
  if (!existsSync(dirname(at))) throw new Error(`there is no directory ${dirname(at)} to make a backup in`)
  const unfinished = unfinishedBackup(at, now)
  const into = layoutOf(unfinished)
  mkdirSync(unfinished, { mode: 0o700 })
  try {
    mkdirSync(into.spool, { mode: 0o700 })
    touchFile(into.database)
    await copyRows(layout.database, into.database)
    const { spooled, ...counts } = lookAt(into.database)
    syncFile(into.database)
    const files: ({ readonly file: string } & Sum)[] = [{ file: 'queue.db', ...sumOf(into.database) }]
    for (const { id, octets } of spooled) {
      const from = join(layout.spool, id)
      if (spoolFault(lstatSync(from, { throwIfNoEntry: false }), octets) !== undefined) continue
      files.push({ file: `spool/${id}`, ...copyFile(from, join(into.spool, id)) })
    }
    const octets = files.reduce((sum, file) => sum + file.octets, 0)
    const summary: BackupSummary = { at: now, ...counts, files: files.length - 1, octets }
    writeManifest(unfinished, { summary, files })
    syncDirectory(into.spool)
    syncDirectory(unfinished)
    renameSync(unfinished, at)
    syncDirectory(dirname(at))
    return summary
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true })
    throw error
  }
}
