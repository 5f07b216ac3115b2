import { joinParts } from './engine.ts'
import type { Engine } from './engine.ts'
import { createReads } from './reads.ts'
import type { Database } from './schema.ts'
import type { Store } from './store.ts'

/** What the disk under a store in memory does. */
export interface DiskState {
  /** Turning false is the power cut: what is not committed by then never is. */
  readonly alive: () => boolean
  /** False while every request fails. */
  readonly answers: () => boolean
}

/** Runs the store in this thread. */
export const inlineEngine = (db: Database, store: Store, { alive, answers }: DiskState): Engine => {
  const reads = createReads(db)
  const unlessDead = async (): Promise<void> => {
    await Promise.resolve()
    // A dead process answers nothing, not even an error.
    if (!alive()) await new Promise(() => {})
    if (!answers()) throw new Error('the disk does not answer')
  }
  return {
    write: async (group, contents) => {
      await unlessDead()
      return store.apply(group, contents.map(joinParts))
    },
    read: async query => {
      await unlessDead()
      return reads.answer(query)
    },
    close: async () => {},
  }
}
