import { existsSync, lstatSync, renameSync, rmSync, statfsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { openWriter } from './connection.ts'
import { syncFile } from './copy-file.ts'
import { syncDirectory, touchFile } from './directory.ts'
import type { Layout } from './directory.ts'
import { prepareSchema } from './schema.ts'

/** Octets of the database. */
export interface Compaction {
  readonly before: number
  readonly after: number
}

/** Beyond what the new file will take. */
const spare = 16 * 1024 * 1024

const sizeOf = (path: string): number => lstatSync(path, { throwIfNoEntry: false })?.size ?? 0

/** What a compaction that was cut short has left. */
export const removeUnfinished = (layout: Layout): void => {
  for (const suffix of ['', '-journal']) rmSync(layout.compacted + suffix, { force: true })
}

/**
 * Write the database anew without its free pages, and put that in its place. The caller owns the directory. Until the one step that
 * replaces the file the old one is complete, and from then on the new one; `expect` is told how many octets are coming.
 */
export const compact = (layout: Layout, expect: (octets: number) => void): Compaction => {
  removeUnfinished(layout)
  const before = sizeOf(layout.database)
  const db = openWriter(layout.database, { sync: true })
  try {
    prepareSchema(db)
    // The log belongs to the old file: read with the new one it would destroy it.
    if (db.prepare('pragma wal_checkpoint(truncate)').get()?.['busy'] !== 0)
      throw new Error('the queue is being read by another process')
    const pragma = (name: string): number => Number(db.prepare(`pragma ${name}`).get()?.[name])
    const octets = (pragma('page_count') - pragma('freelist_count')) * pragma('page_size')
    const { bavail, bsize } = statfsSync(layout.directory)
    if (bavail * bsize < octets + spare)
      throw new Error(
        `a compaction needs ${Math.ceil((octets + spare) / 1024 ** 2)} MiB of free space, and there are ${Math.floor((bavail * bsize) / 1024 ** 2)}`,
      )
    expect(octets)
    touchFile(layout.compacted)
    db.prepare('vacuum into ?').run(layout.compacted)
  } finally {
    db.close()
  }
  checkNew(layout.compacted)
  syncFile(layout.compacted)
  for (const suffix of ['-wal', '-journal'])
    if (sizeOf(layout.database + suffix) > 0)
      throw new Error(`the queue still has a log, ${layout.database}${suffix}, and was left as it is`)
  renameSync(layout.compacted, layout.database)
  syncDirectory(layout.directory)
  return { before, after: sizeOf(layout.database) }
}

const checkNew = (path: string): void => {
  const db = new DatabaseSync(path, { readOnly: true })
  try {
    const [verdict] = db.prepare('pragma quick_check(1)').all()
    if (verdict?.['quick_check'] !== 'ok')
      throw new Error(`the new file is damaged: ${String(verdict?.['quick_check'])}`)
  } finally {
    db.close()
  }
}

/** Octets written so far. */
export const compactedSoFar = (layout: Layout): number => (existsSync(layout.compacted) ? sizeOf(layout.compacted) : 0)
