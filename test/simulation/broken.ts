import type { MemoryDisk } from '@posthorn/queue'
import type { Clock, Draft } from '@posthorn/contracts'
import type { Store } from './store.ts'

/** A fault put into a queue on purpose, to prove that the law catches it. */
export interface Breakage {
  /** Done to the disk before a queue is opened on it after a crash. */
  readonly reopen?: (disk: MemoryDisk) => void
  readonly wrap: (inner: Store, disk: MemoryDisk, clock: Clock) => Store
}

/** `settle` looks at no token: whoever comes ends the delivery, whosever lease it is by now. */
const unfenced: Breakage = {
  wrap: (inner, disk) => {
    const take = disk.database.prepare('update delivery set state = 1, token = ? where id = ?')
    return {
      ...inner,
      settle: async batch => {
        for (const { lease } of batch) take.run(lease.token, lease.delivery)
        await inner.settle(batch)
        return batch.map(() => 'ok' as const)
      },
    }
  },
}

/** What is handed out is forgotten at once, so that a crash during the attempt loses it. */
const settledFirst: Breakage = {
  reopen: disk => {
    const { database } = disk
    const isNew = database.prepare(`select 1 from sqlite_schema where name = 'delivery'`).get() === undefined
    if (!isNew) database.exec('delete from delivery where state = 1')
  },
  wrap: inner => inner,
}

/** `commit` answers a moment before the message is stored. */
const early: Breakage = {
  wrap: (inner, _disk, clock) => ({
    ...inner,
    begin: sizeHint => {
      const d = inner.begin(sizeHint)
      const draft: Draft = {
        id: d.id,
        write: chunk => d.write(chunk),
        end: () => d.end(),
        abort: () => d.abort(),
        commit: async message => {
          clock.after(400, () => void d.commit(message).catch(() => undefined))
          return []
        },
      }
      return draft
    },
  }),
}

export const breakages: Readonly<Record<'unfenced' | 'settled-first' | 'early', Breakage>> = {
  unfenced,
  'settled-first': settledFirst,
  early,
}
