import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Random } from '@posthorn/contracts'

/** One node of those that share a queue. */
export interface NodeName {
  /** Kept over restarts, so that what was leased to the earlier life is free at once. */
  readonly name: string
  /** Another process may be this node now. */
  release(): void
}

/**
 * The name of the node whose state directory this is, made up at its first start; one process at a time may have it. The kernel gives
 * back the lock, which is that of an SQLite transaction, when the process ends, however it ends. Throws Error when it is in use.
 */
export const takeNodeName = (state: string, random: Random): NodeName => {
  const lock = new DatabaseSync(join(state, 'node.lock'), { timeout: 0 })
  try {
    lock.exec('pragma journal_mode = memory')
    lock.exec('begin exclusive')
  } catch (error) {
    lock.close()
    throw new Error(`the state directory ${state} is in use by another process`, { cause: error })
  }
  const file = join(state, 'node')
  if (!existsSync(file)) {
    writeFileSync(`${file}.new`, `${Buffer.from(random.bytes(12)).toString('hex')}\n`, { mode: 0o600 })
    renameSync(`${file}.new`, file)
  }
  return { name: readFileSync(file, 'utf8').trim(), release: () => lock.close() }
}
