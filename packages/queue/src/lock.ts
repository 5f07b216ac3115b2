import { readFileSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { Layout } from './directory.ts'

const ownerOf = (path: string): string => {
  try {
    return readFileSync(path, 'utf8').trim().slice(0, 100)
  } catch {
    return 'an unknown process'
  }
}

/**
 * Own the state directory until the result is called or the process ends, however it ends: the kernel gives back the lock that
 * SQLite's exclusive transaction holds on `lock.db`. Throws an Error that names the process that has it.
 */
export const lockDirectory = (layout: Layout): (() => void) => {
  const lock = new DatabaseSync(layout.lock, { timeout: 0 })
  try {
    // The lock alone is wanted: nothing is written, and no journal must be left behind.
    lock.exec('pragma journal_mode = memory')
    lock.exec('begin exclusive')
  } catch (error) {
    lock.close()
    throw new Error(`the queue in ${layout.directory} is in use by ${ownerOf(layout.owner)}`, { cause: error })
  }
  try {
    writeFileSync(layout.owner, `process ${process.pid}\n`, { mode: 0o600 })
  } catch {
    // For people only; a full disk must not keep the queue from being emptied.
  }
  return () => {
    lock.close()
  }
}
