import { faultOf } from './fault.ts'
import type { Group, GroupResult } from './operation.ts'
import type { Recovered, Store } from './store.ts'

/** Groups between two looks at the log. */
const lookEvery = 16
/** Pages (of 4 KiB) from which the writer itself waits for readers and starts the log anew: the back-pressure on it. */
const walCap = 65_536

/** The store behind a door that is closed when the disk fails, and opened again by the next group. */
export interface Writer {
  /** Throws when the disk failed; then nothing of the group may be told to anybody as done. */
  apply(group: Group, contents: readonly Uint8Array[]): GroupResult
  recover(now: number): Recovered
  close(): void
}

/**
 * After a failure of the disk the connection is closed: what SQLite holds in memory may not be what is on the disk, and a sync
 * that failed once is never tried again, since the kernel may have dropped what it could not write. `open` is called at once,
 * and again after each failure; it may throw.
 */
export const createWriter = (open: () => Store): Writer => {
  let store: Store | undefined = open()
  let groups = 0

  const drop = (): void => {
    try {
      store?.close()
    } catch {
      // It is given up either way.
    }
    store = undefined
  }
  const reopen = (): Store => {
    const opened = open()
    store = opened
    // What the failed sync left in the log is perhaps only in memory: it must not stand before what is promised next.
    if (!opened.restartLog()) throw new Error('the log cannot be begun anew while it is being read')
    return opened
  }
  const look = (s: Store): number | undefined => {
    if (++groups % lookEvery !== 0) return undefined
    const pages = s.walPages()
    if (pages > walCap) s.restartLog()
    return pages
  }
  return {
    apply: (group, contents) => {
      const reopened = store === undefined
      try {
        const open = store ?? reopen()
        const result = open.apply(group, contents)
        const wal = look(open)
        return { ...result, ...(wal !== undefined && { wal }), ...(reopened && { reopened }) }
      } catch (error) {
        // A group that could not begin after a failure leaves the door closed for the next to try.
        if (reopened || faultOf(error) === 'disk') drop()
        throw error
      }
    },
    recover: now => {
      store ??= open()
      return store.recover(now)
    },
    close: drop,
  }
}
