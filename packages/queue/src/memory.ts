import { DatabaseSync } from 'node:sqlite'
import type { Clock, Journal, Random } from '@posthorn/contracts'
import { createIds, tellChanges } from '@posthorn/queue-base'
import { inlineEngine } from './inline-engine.ts'
import { createQueue } from './queue.ts'
import type { EmbeddedQueue } from './queue.ts'
import { createStore } from './store.ts'
import { defaultHistory } from './sweep.ts'

/** What survives the power cuts of a simulation: all that was committed. */
export interface MemoryDisk {
  /** The queue over it stops where it is: nothing of it settles any more, and what was not committed is lost. */
  crash(): void
  /** While this is set it answers nothing but errors, and nothing is written. */
  away: boolean
  readonly database: DatabaseSync
  /** Grows with each crash. */
  readonly life: number
}

export const memoryDisk = (): MemoryDisk => {
  const database = new DatabaseSync(':memory:')
  let life = 0
  return {
    away: false,
    database,
    crash: () => {
      life++
    },
    get life() {
      return life
    },
  }
}

/**
 * The embedded queue's own tables and rules in memory and in the caller's thread, for tests, the lab and simulations. With a
 * `disk` it can be opened again after a crash.
 */
export const memoryQueue = (o: {
  readonly clock: Clock
  readonly random: Random
  readonly disk?: MemoryDisk
  readonly journal?: Journal
}): EmbeddedQueue => {
  const disk = o.disk ?? memoryDisk()
  const { life } = disk
  const store = createStore(disk.database, {
    history: defaultHistory,
    checkSpool: () => undefined,
    releaseReserve: () => {},
  })
  const ids = createIds(o.clock, o.random)
  const { lastKey, changed } = store.recover(o.clock.wall())
  ids.skipTo(lastKey)
  if (o.journal !== undefined) tellChanges(o.journal, changed)
  return createQueue({
    engine: inlineEngine(disk.database, store, { alive: () => disk.life === life, answers: () => !disk.away }),
    ids,
    clock: o.clock,
    journal: o.journal,
    spool: undefined,
    bodyInline: Infinity,
    hasRoom: () => true,
  })
}
