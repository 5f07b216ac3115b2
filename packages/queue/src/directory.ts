import {
  accessSync,
  constants,
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
} from 'node:fs'
import type { Stats } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

/** Where everything of one store lives. */
export interface Layout {
  readonly directory: string
  readonly database: string
  /** Holds the lock; never opened but by the lock. */
  readonly lock: string
  /** Says who holds the lock, for people. */
  readonly owner: string
  /** Room that is given up when the disk is full, so that attempts can still end. */
  readonly reserve: string
  readonly spool: string
  /** The database as a compaction writes it anew. */
  readonly compacted: string
}

export const layoutOf = (directory: string): Layout => ({
  directory,
  database: join(directory, 'queue.db'),
  lock: join(directory, 'lock.db'),
  owner: join(directory, 'owner'),
  reserve: join(directory, 'reserve'),
  spool: join(directory, 'spool'),
  compacted: join(directory, 'queue.db.compacted'),
})

const statOf = (path: string): Stats | undefined => lstatSync(path, { throwIfNoEntry: false })

const refuse = (path: string, why: string): Error => new Error(`the queue cannot use ${path}: ${why}`)

/** What another user could have put there, or could change, is not ours to read mail from. */
const check = (path: string, kind: 'file' | 'directory', user: number | undefined): void => {
  const stat = statOf(path)
  if (stat === undefined) return
  if (stat.isSymbolicLink()) throw refuse(path, 'it is a symbolic link')
  if (kind === 'file' ? !stat.isFile() : !stat.isDirectory()) throw refuse(path, `it is no ${kind}`)
  if (stat.uid !== user) throw refuse(path, `it belongs to user ${stat.uid}, and this process runs as user ${user}`)
  if ((stat.mode & 0o022) !== 0)
    throw refuse(
      path,
      `others may write to it (mode ${(stat.mode & 0o777).toString(8)}); chmod go-w it after a look inside`,
    )
}

/** SQLite says of it only that it cannot open a file. */
const checkWritable = (path: string): void => {
  try {
    accessSync(path, constants.W_OK)
  } catch (error) {
    const readOnly = (error as NodeJS.ErrnoException).code === 'EROFS'
    throw refuse(path, readOnly ? 'its file system is read-only' : 'this process may not write there')
  }
}

/** Entries of a directory are on stable storage. */
export const syncDirectory = (path: string): void => {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Make a file for its owner alone, unless it is there. */
export const touchFile = (path: string): void => {
  if (existsSync(path)) return
  // Made here, so that SQLite, which would use the umask, finds it with our mode and gives the log the same.
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600)
  fchmodSync(fd, 0o600)
  closeSync(fd)
}

/**
 * The names of the directory and of those above it, as far up as they are this user's. Not those alone that were made just now:
 * a start that was killed may have made them and not come to the sync.
 */
const syncAncestors = (directory: string, made: string | undefined, user: number | undefined): void => {
  const top = made === undefined ? undefined : dirname(resolve(made))
  for (let at = resolve(directory), isNew = top !== undefined; statOf(at)?.uid === user; at = dirname(at)) {
    const parent = dirname(at)
    if (parent === at) return
    try {
      syncDirectory(parent)
    } catch (error) {
      // What stood before may lie where we must not look, or where directories cannot be synced.
      if (isNew) throw error
    }
    if (parent === top) isNew = false
  }
}

/** Make the directories with mode 0700 and check that everything in them is ours. Throws an Error that names the file. */
export const prepareDirectory = (
  layout: Layout,
  { user = process.geteuid?.(), sync = true }: { readonly user?: number | undefined; readonly sync?: boolean } = {},
): void => {
  const made = mkdirSync(layout.directory, { recursive: true, mode: 0o700 })
  check(layout.directory, 'directory', user)
  checkWritable(layout.directory)
  check(layout.spool, 'directory', user)
  mkdirSync(layout.spool, { recursive: true, mode: 0o700 })
  for (const file of [layout.lock, layout.owner, layout.reserve, layout.database]) check(file, 'file', user)
  for (const suffix of ['-wal', '-shm', '-journal']) check(layout.database + suffix, 'file', user)
  touchFile(layout.lock)
  touchFile(layout.database)
  if (!sync) return
  syncDirectory(layout.directory)
  syncAncestors(layout.directory, made, user)
}
