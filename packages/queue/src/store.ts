import type { CheckSpool } from './claim.ts'
import type { Changed } from '@posthorn/queue-base'
import { faultOf } from './fault.ts'
import type { Group, GroupResult, Operation, OpResult } from './operation.ts'
import { prepareSchema } from './schema.ts'
import type { Database } from './schema.ts'
import { disown } from './recover.ts'
import { runOperation } from './run-operation.ts'
import { prepareStatements } from './statements.ts'
import { sweep } from './sweep.ts'
import type { History } from './sweep.ts'
import { writeTouched } from './work.ts'
import type { Batch, Stopped, Work } from './work.ts'
import { rememberStopped } from './suspend.ts'

export interface StoreOptions {
  readonly history: History
  readonly checkSpool: CheckSpool
  /** Gives up the reserve file, so that what frees room has room. */
  readonly releaseReserve: () => void
}

/** What an instance found that the one before it left. */
export interface Recovered {
  readonly leases: number
  readonly lastKey: number
  /** Deliveries that were interrupted too often, for the journal. */
  readonly changed: readonly Changed[]
}

/** The tables and the one connection that writes them; all of it runs in the thread that made it. */
export interface Store {
  /** Run a group in one transaction. Throws when the disk failed: then nothing may be used but `close`. */
  apply(group: Group, contents: readonly Uint8Array[]): GroupResult
  /** Free the leases of an instance that is gone: all of them, since one instance owns the store. */
  recover(now: number): Recovered
  /** Pages in the write-ahead log. */
  walPages(): number
  /** Copy the log to the database and begin it anew, waiting for readers as long as the busy time-out says. Whether it could. */
  restartLog(): boolean
  close(): void
}

/** Open the tables of a database that has its pragmas already. Throws when they are not ours to open. */
export const createStore = (db: Database, o: StoreOptions): Store => {
  prepareSchema(db)
  const s = prepareStatements(db)
  const paused = new Map<string, number>()
  const stopped: Stopped = { sites: new Set(), senders: new Map() }
  const counters = {
    seq: Number(s.lastSeq.get()?.['seq'] ?? 0),
    turn: Number(s.lastTurn.get()?.['turn'] ?? 0),
    cursor: 0,
  }
  let departed = 0
  const remember = (): void => {
    paused.clear()
    for (const row of s.pausedSites.iterate()) paused.set(row['name'] as string, row['not_before'] as number)
    rememberStopped(s, stopped)
    departed = s.departed.get()?.['value'] as number
  }
  remember()

  const newWork = (group: Pick<Group, 'now' | 'mono'>, contents: readonly Uint8Array[]): Work => ({
    s,
    paused,
    stopped,
    counters,
    batch: {
      now: Math.floor(group.now),
      mono: group.mono,
      contents,
      touched: new Map(),
      wake: Infinity,
      unlink: [],
      corrupt: [],
      changed: [],
      out: [],
      departed: 0,
    },
  })
  const run = (work: Work, op: Operation): unknown =>
    op.do === 'sweep' ? sweep(work, o.history, departed) : runOperation(work, op, o.checkSpool)
  const commit = (work: Work): void => {
    writeTouched(work)
    if (work.batch.departed !== 0) s.setDeparted.run(departed + work.batch.departed)
    db.exec('commit')
    departed += work.batch.departed
  }
  // A full disk makes SQLite roll back by itself, sometimes; a rollback of what is rolled back would fail.
  const rollback = (): void => {
    if (db.isTransaction) db.exec('rollback')
    remember()
  }
  const resultOf = ({ batch }: Work, results: readonly OpResult[]): GroupResult => ({
    results,
    unlink: batch.unlink,
    corrupt: batch.corrupt,
    contents: batch.out,
    ...(batch.changed.length > 0 && { changed: batch.changed }),
    ...(batch.wake !== Infinity && { wake: batch.wake }),
  })

  /** The usual way: no savepoints, since they cost and a bad row is rare. */
  const together = (group: Group, contents: readonly Uint8Array[]): GroupResult => {
    const work = newWork(group, contents)
    db.exec('begin immediate')
    const results = group.ops.map(op => ({ ok: run(work, op) ?? null }))
    commit(work)
    return resultOf(work, results)
  }
  /** After a failure: each operation by itself within the transaction, so that a bad one does not fail the others. */
  const oneByOne = (group: Group, contents: readonly Uint8Array[], admit: (op: Operation) => boolean): GroupResult => {
    const work = newWork(group, contents)
    db.exec('begin immediate')
    const results = group.ops.map((op): OpResult => {
      if (!admit(op)) return { error: 'the disk is full', full: true }
      const before = mark(work.batch)
      db.exec('savepoint item')
      try {
        const ok = run(work, op) ?? null
        writeTouched(work)
        db.exec('release item')
        return { ok }
      } catch (error) {
        const fault = faultOf(error)
        if (fault === 'full' || fault === 'disk') throw error
        db.exec('rollback to item')
        db.exec('release item')
        undo(work.batch, before)
        remember()
        return { error: error instanceof Error ? error.message : String(error), full: false }
      }
    })
    commit(work)
    return resultOf(work, results)
  }

  const attempt = (way: () => GroupResult): { readonly result: GroupResult } | { readonly failed: unknown } => {
    try {
      return { result: way() }
    } catch (failed) {
      if (faultOf(failed) === 'disk') throw failed
      rollback()
      return { failed }
    }
  }

  return {
    apply: (group, contents) => {
      const first = attempt(() => together(group, contents))
      if ('result' in first) return first.result
      let { failed } = first
      if (faultOf(failed) !== 'full') {
        const second = attempt(() => oneByOne(group, contents, () => true))
        if ('result' in second) return second.result
        failed = second.failed
      }
      if (faultOf(failed) === 'full') {
        // Nothing new comes in on a full disk, but what ends attempts and frees room must go on.
        o.releaseReserve()
        const third = attempt(() => oneByOne(group, contents, op => op.do !== 'enqueue' && op.do !== 'kv'))
        if ('result' in third) return third.result
        failed = third.failed
      }
      return allFailed(group, failed)
    },
    recover: now => {
      const work = newWork({ now, mono: 0 }, [])
      db.exec('begin immediate')
      const leases = disown(work, {})
      commit(work)
      const last = db.prepare(
        'select max(coalesce((select max(id) from message), 0), coalesce((select max(id) from delivery), 0)) as key',
      )
      return { leases, lastKey: last.get()?.['key'] as number, changed: work.batch.changed }
    },
    walPages: () => Number(db.prepare('pragma wal_checkpoint(noop)').get()?.['log'] ?? 0),
    restartLog: () => db.prepare('pragma wal_checkpoint(truncate)').get()?.['busy'] === 0,
    close: () => {
      db.close()
    },
  }
}

const allFailed = (group: Group, failed: unknown): GroupResult => {
  const error = failed instanceof Error ? failed.message : String(failed)
  const result = { error, full: faultOf(failed) === 'full' }
  return { results: group.ops.map(() => result), unlink: [], corrupt: [], contents: [] }
}

/** How far a batch had come, to go back to. */
const mark = ({ unlink, corrupt, changed, wake, departed }: Batch) => ({
  unlink: unlink.length,
  corrupt: corrupt.length,
  changed: changed.length,
  wake,
  departed,
})

const undo = (batch: Batch, before: ReturnType<typeof mark>): void => {
  batch.touched.clear()
  batch.unlink.length = before.unlink
  batch.corrupt.length = before.corrupt
  batch.changed.length = before.changed
  batch.wake = before.wake
  batch.departed = before.departed
}
