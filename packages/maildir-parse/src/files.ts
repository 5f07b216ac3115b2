import fs from 'node:fs'

/**
 * The calls of the operating system that stand between a message and the disk. Inject others to make a disk that fails.
 * Callbacks under one promise each: a `FileHandle` costs about a tenth more for a small message.
 */
export interface Files {
  /** Make a file that was not there, mode 0600, for writing; never follows a link. */
  create(path: string): Promise<number>
  /** Open a directory, to sync it. */
  openDirectory(path: string): Promise<number>
  /** How many octets were written: fewer than given when the disk is nearly full. */
  write(fd: number, parts: readonly Uint8Array[]): Promise<number>
  sync(fd: number): Promise<void>
  close(fd: number): Promise<void>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
}

type Failed = Error | null | undefined

const ended =
  (resolve: () => void, reject: (reason: Error) => void) =>
  (error: Failed): void => {
    if (error) reject(error)
    else resolve()
  }
const returned =
  <T>(resolve: (value: T) => void, reject: (reason: Error) => void) =>
  (error: Failed, value: T): void => {
    if (error) reject(error)
    else resolve(value)
  }

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = fs.constants

/** The disk of this machine. */
export const systemFiles: Files = {
  create: path =>
    new Promise((resolve, reject) => {
      fs.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600, returned(resolve, reject))
    }),
  openDirectory: path =>
    new Promise((resolve, reject) => {
      fs.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, returned(resolve, reject))
    }),
  write: (fd, parts) =>
    new Promise((resolve, reject) => {
      fs.writev(fd, parts, returned<number>(resolve, reject))
    }),
  sync: fd =>
    new Promise((resolve, reject) => {
      fs.fsync(fd, ended(resolve, reject))
    }),
  // Here and now: after a sync it has nothing to wait for, and costs less than the way to another thread and back.
  close: async fd => fs.closeSync(fd),
  rename: (from, to) =>
    new Promise((resolve, reject) => {
      fs.rename(from, to, ended(resolve, reject))
    }),
  unlink: path =>
    new Promise((resolve, reject) => {
      fs.unlink(path, ended(resolve, reject))
    }),
}

/** Write all of it, whatever the disk takes at a time. Throws what the disk threw, and on a write of nothing. */
export const writeAll = async (files: Files, fd: number, parts: readonly Uint8Array[]): Promise<number> => {
  let size = 0
  for (const part of parts) size += part.byteLength
  let left = parts
  let done = 0
  while (done < size) {
    let written = await files.write(fd, left)
    if (written <= 0) throw Object.assign(new Error('the disk took nothing'), { code: 'ENOSPC' })
    done += written
    if (done === size) break
    let first = 0
    for (let part = left[first]; part !== undefined && written >= part.byteLength; part = left[++first])
      written -= part.byteLength
    left = left.slice(first).map((part, i) => (i === 0 ? part.subarray(written) : part))
  }
  return size
}

/** Make the entries of a directory durable. */
export const syncDirectory = async (files: Files, path: string): Promise<void> => {
  const fd = await files.openDirectory(path)
  try {
    await files.sync(fd)
  } finally {
    await files.close(fd)
  }
}
