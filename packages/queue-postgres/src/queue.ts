import type { Clock, Journal, KeyValue, Queue, Settlement } from '@posthorn/contracts'
import { createWaker, formatId, isStoreError, parseId, storeError, tellChanges } from '@posthorn/queue-base'
import type { Ids } from '@posthorn/queue-base'
import { claim, renew } from './claim.ts'
import { claimsOf } from './claims.ts'
import { commitGroup } from './commit.ts'
import type { Database } from './database.ts'
import { createDraft } from './draft.ts'
import { nextDue } from './due.ts'
import type { Inserted } from './enqueue.ts'
import { createGroup } from './group.ts'
import { createKeyValue } from './keyvalue.ts'
import { createOperators } from './operators.ts'
import type { Owners } from './owners.ts'
import { createReads } from './reads.ts'
import { disown } from './recover.ts'
import { clean } from './row.ts'
import { release, settle } from './settle.ts'
import { state } from './schema.ts'
import type { NewStored } from './stored.ts'
import type { Time } from './time.ts'
import { createWork, touch, writeWork } from './work.ts'
import type { Work } from './work.ts'

/** A queue with its key-value table. */
export interface PostgresQueue extends Queue {
  /** The table beside the queue, by name-space; shared by all nodes. */
  keyValue(namespace: string): KeyValue
  /** Since the start: transactions that took messages in, and the messages that shared them. */
  readonly stats: { readonly groups: number; readonly operations: number }
}

export interface QueueDeps {
  readonly db: Database
  readonly ids: Ids
  readonly clock: Clock
  readonly time: Time
  readonly journal: Journal | undefined
  readonly owners: Owners
  readonly bodyInline: number
  /** Tell the other nodes that something is ready. */
  readonly notify: () => void
  /** What must end before the connections do. */
  readonly beforeClose: () => Promise<void>
}

/** Groups in flight at once: one is written while another waits for its flush. */
const parallel = 2

/** The queue as its users see it, and what wakes them. */
export const createQueue = (o: QueueDeps): { readonly queue: PostgresQueue; readonly wake: () => void } => {
  const { db, ids, clock, time, journal, owners } = o
  const waker = createWaker(clock)
  let closing: Promise<void> | undefined

  const ready = (at: number, now: number): void => {
    if (at === Infinity) return
    waker.ready(at - time.skew)
    if (at <= now) o.notify()
  }
  /** One transaction with what follows from it: marks, history, wake-ups, events. */
  const transact = async <T>(run: (work: Work) => Promise<T>): Promise<T> => {
    if (closing !== undefined) throw storeError('the queue is closed', { full: false })
    return transactAnyway(run)
  }
  const transactAnyway = async <T>(run: (work: Work) => Promise<T>): Promise<T> => {
    let done: Work | undefined
    const result = await db.transaction(async (sql, now) => {
      const work = createWork(sql, now)
      const value = await run(work)
      await writeWork(work)
      done = work
      return value
    })
    if (done === undefined) return result
    time.note(done.now)
    if (journal !== undefined) tellChanges(journal, done.changed)
    ready(done.wake, done.now)
    return result
  }

  const intake = createGroup<NewStored, readonly Inserted[]>(async messages => {
    const results = await commitGroup(db, { clock, time }, messages)
    let [earliest, now] = [Infinity, 0]
    for (const rows of results) {
      if (rows instanceof Error) continue
      for (const row of rows) {
        now = row.now
        if (row.state === state.ready && row.due < earliest) earliest = row.due
      }
    }
    ready(earliest, now)
    return results
  }, parallel)

  const settleAlone = (batch: readonly Settlement[]): Promise<readonly ('ok' | 'stale')[] | Error> =>
    transactAnyway(work => settle(work, batch, time)).catch((error: unknown) =>
      error instanceof Error ? error : new Error(String(error)),
    )
  const settles = createGroup<readonly Settlement[], readonly ('ok' | 'stale')[]>(async batches => {
    const all = batches.flat()
    try {
      const results = await transactAnyway(work => settle(work, all, time))
      let at = 0
      return batches.map(batch => results.slice(at, (at += batch.length)))
    } catch (error) {
      if (isStoreError(error) || batches.length === 1) throw error
      // One of them is refused; that must not keep the others from being settled.
      return await Promise.all(batches.map(batch => settleAlone(batch)))
    }
  }, parallel)

  const reads = createReads(db, time, () => time.toDatabase(clock.wall()))
  const operators = createOperators({ reads, journal, work: transact })
  const draftDeps = { db, time, bodyInline: o.bodyInline, submit: intake.submit, alive: owners.alive }

  const queue: PostgresQueue = {
    ...operators,
    begin: (_sizeHint, id) => {
      if (closing !== undefined) throw storeError('the queue is closed', { full: false })
      if (id !== undefined && parseId(id) === undefined) throw new RangeError(`${id} is no id of newId()`)
      return createDraft(id ?? formatId(ids.take(1), ids.nonce), draftDeps)
    },
    newId: () => formatId(ids.take(1), ids.nonce),
    claim: async options => {
      await owners.alive(options.owner)
      const rows = await transact(work => claim(work, options))
      return claimsOf(rows, { db, skew: time.skew, journal, work: transact })
    },
    renew: (leases, leaseMs) => transact(work => renew(work, leases, leaseMs)),
    settle: batch => settles.submit(batch),
    release: (leases, due, why) =>
      transact(work => release(work, leases, { due: time.toDatabase(due), why: clean(why) })),
    pause: (site, until, why) => transact(work => pause(work, clean(site), { until: time.toDatabase(until), why })),
    disown: which => transact(work => disown(work, which)),
    nextDue: async () => {
      const { at } = await nextDue(db)
      const due = at === undefined ? undefined : at - time.skew
      waker.promise(due)
      return due
    },
    onWake: waker.on,
    keyValue: space => createKeyValue(db, clean(space)),
    stats: intake.stats,
    close: () => {
      closing ??= (async () => {
        await Promise.all([intake.close(), settles.close()])
        await o.beforeClose()
        // What is still leased is free for the others at once.
        await freeOwn(owners, transactAnyway).catch((error: unknown) => {
          journal?.event('error', { where: 'queue', why: `leases were not given back: ${String(error)}` }, 'error')
        })
        await db.close()
      })()
      return closing
    },
  }
  return { queue, wake: () => waker.ready(clock.wall()) }
}

const freeOwn = async (owners: Owners, transact: <T>(run: (work: Work) => Promise<T>) => Promise<T>): Promise<void> => {
  for (const owner of await owners.end()) await transact(work => disown(work, { owner, resigns: true }))
}

const pause = async (work: Work, site: string, o: { readonly until: number; readonly why: string }): Promise<void> => {
  if (o.until > work.now)
    await work.sql.query(
      `insert into pause(site, until, why) values($1, $2, $3)
       on conflict (site) do update set until = excluded.until, why = excluded.why`,
      [site, o.until, clean(o.why)],
    )
  else await work.sql.query('delete from pause where site = $1', [site])
  // A pause that ends sooner than a mark was moved to; where nothing waits, the next claim takes the mark away.
  touch(work, site, Math.max(o.until, work.now))
}
