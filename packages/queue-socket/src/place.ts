import { lstatSync, type Stats } from 'node:fs'
import { dirname } from 'node:path'

const found = (path: string): Stats | undefined => lstatSync(path, { throwIfNoEntry: false })

const isOurs = (stats: Stats): boolean => process.getuid === undefined || stats.uid === process.getuid()

/** The directory must be ours, and nobody else may put anything into it. Throws Error that says what is wrong. */
export const checkDirectory = (path: string): void => {
  const directory = dirname(path)
  const stats = found(directory)
  if (stats?.isDirectory() !== true) throw new Error(`${directory} is no directory`)
  if (!isOurs(stats)) throw new Error(`${directory} belongs to somebody else`)
  if ((stats.mode & 0o022) !== 0) throw new Error(`${directory} can be written by others; chmod go-w is needed`)
}

/** What stands at the path must be a socket of ours that nobody else can open. Throws Error that says what is wrong. */
export const checkSocket = (path: string): void => {
  const stats = found(path)
  if (stats === undefined) throw new Error(`there is no socket ${path}: the owner of the queue does not run`)
  if (!stats.isSocket()) throw new Error(`${path} is no socket`)
  if (!isOurs(stats)) throw new Error(`the socket ${path} belongs to somebody else`)
  if ((stats.mode & 0o077) !== 0) throw new Error(`the socket ${path} can be opened by others`)
}

/** Whether something stands there that a server which was killed left behind. Throws Error when it is anything else. */
export const isLeftOver = (path: string): boolean => {
  if (found(path) === undefined) return false
  checkSocket(path)
  return true
}
