import { existsSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { copyFile, sumOf } from './copy-file.ts'
import { layoutOf, syncDirectory } from './directory.ts'
import { lockDirectory } from './lock.ts'
import { readManifest } from './manifest.ts'
import type { BackupSummary } from './manifest.ts'

export interface Restored extends BackupSummary {
  /** Where the empty queue is that stood there before, if there was one. */
  readonly aside?: string
}

/** Throws unless the queue there may be replaced: nobody has it open, and nothing waits in it. */
const mayReplace = (directory: string): (() => void) => {
  const layout = layoutOf(directory)
  if (!existsSync(layout.database)) return () => {}
  const unlock = lockDirectory(layout)
  try {
    const db = new DatabaseSync(layout.database)
    try {
      const isNew = db.prepare(`select 1 from sqlite_schema where name = 'delivery'`).get() === undefined
      const waiting = isNew ? 0 : Number(db.prepare('select count(*) as n from delivery').get()?.['n'])
      if (waiting > 0)
        throw new Error(
          `${waiting} deliveries wait in the queue ${directory}, which a restore would lose; let them leave, or move that directory away`,
        )
    } finally {
      db.close()
    }
  } catch (error) {
    unlock()
    throw error
  }
  return unlock
}

/** Each file is what the list says. With `into` it is copied there as it is read. */
const checkFiles = (from: string, files: ReturnType<typeof readManifest>['files'], into: string | undefined): void => {
  for (const { file, octets, sha256 } of files) {
    const path = join(from, file)
    const damaged = (why: string): Error => new Error(`${from} cannot be restored: its ${file} ${why}`)
    const stat = lstatSync(path, { throwIfNoEntry: false })
    if (stat === undefined) throw damaged('is missing')
    if (!stat.isFile()) throw damaged('is no regular file')
    if (stat.size !== octets) throw damaged(`has ${stat.size} octets instead of ${octets}`)
    const sum = into === undefined ? sumOf(path) : copyFile(path, join(into, file))
    if (sum.sha256 !== sha256) throw damaged('is damaged: its content is not what was saved')
  }
}

/**
 * Put a backup in the place of a queue that is not open and holds no mail. All of it is checked before anything is changed, and the
 * queue has its name only when all of it is on stable storage. Throws an Error that says what is wrong; with `dryRun` it only checks the backup.
 * What was leased when the backup was made is free at the next start, as after a crash; all that left since will be sent again.
 */
export const restoreQueue = (
  from: string,
  directory: string,
  o: { readonly dryRun?: boolean; readonly now: number },
): Restored => {
  const source = resolve(from)
  const target = resolve(directory)
  const { summary, files } = readManifest(source)
  if (o.dryRun === true) {
    checkFiles(source, files, undefined)
    return summary
  }
  const state = dirname(target)
  const owner = lstatSync(state, { throwIfNoEntry: false })?.uid
  const user = process.geteuid?.()
  if (owner !== undefined && user !== undefined && owner !== user)
    throw new Error(`${state} belongs to user ${owner}; restore as that user, since this process runs as user ${user}`)
  const unlock = mayReplace(target)
  const unfinished = `${target}.unfinished-${process.pid}-${Math.floor(o.now)}`
  try {
    mkdirSync(state, { recursive: true, mode: 0o700 })
    const into = layoutOf(unfinished)
    mkdirSync(unfinished, { mode: 0o700 })
    mkdirSync(into.spool, { mode: 0o700 })
    checkFiles(source, files, unfinished)
    syncDirectory(into.spool)
    syncDirectory(unfinished)
    const aside = existsSync(target) ? `${target}.before-${Math.floor(o.now)}` : undefined
    if (aside !== undefined) renameSync(target, aside)
    renameSync(unfinished, target)
    syncDirectory(state)
    return { ...summary, ...(aside !== undefined && { aside }) }
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
    unlock()
  }
}
