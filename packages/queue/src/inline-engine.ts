import { joinParts } from './engine.ts'
import type { Engine } from './engine.ts'
import { createReads } from './reads.ts'
import type { Database } from './schema.ts'
import type { Store } from './store.ts'

/** Runs the store in this thread. `alive` turning false is the power cut: what is not committed by then never is. */
export const inlineEngine = (db: Database, store: Store, alive: () => boolean): Engine => {
  const reads = createReads(db)
  const unlessDead = async (): Promise<void> => {
    await Promise.resolve()
    // A dead process answers nothing, not even an error.
    if (!alive()) await new Promise(() => {})
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
