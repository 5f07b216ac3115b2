import type { Clock, Random } from '@posthorn/contracts'
import { waits } from './waits.ts'

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /** Move both times on by `ms`, calling what falls due in its order; between two calls promises get their turn. */
  readonly advance: (ms: number) => Promise<void>
  /** Move to the next call that is due, if there is one; says by how much it moved. */
  advanceToNext(): Promise<number | undefined>
  /** Set the wall time alone, as an operator or NTP would; backwards is lawful. */
  setWall(wall: number): void
  /** Calls that wait. */
  readonly pending: number
}

interface Timer {
  readonly at: number
  readonly call: () => void
  next: Timer | undefined
}

/** Enough turns for any chain of awaits between two timers of code under test that waits for nothing real. */
const turns = 64

const settlePromises = async (): Promise<void> => {
  for (let i = 0; i < turns; i++) await Promise.resolve()
}

/**
 * A clock for tests. It starts at `wall` (2026-01-01 when absent). `settle` lets code that waits for real I/O go on between
 * two calls, such as a turn of the event loop; promises alone need nothing.
 */
export const manualClock = (o: { readonly wall?: number; readonly settle?: () => Promise<void> } = {}): ManualClock => {
  const settle = o.settle ?? settlePromises
  let now = 0
  let offset = o.wall ?? 1_767_225_600_000
  let first: Timer | undefined
  let pending = 0

  const remove = (timer: Timer): void => {
    let before: Timer | undefined
    for (let t = first; t !== undefined; before = t, t = t.next) {
      if (t !== timer) continue
      if (before === undefined) first = t.next
      else before.next = t.next
      pending--
      return
    }
  }
  const after = (ms: number, call: () => void): (() => void) => {
    const timer: Timer = { at: now + Math.max(0, ms), call, next: undefined }
    let before: Timer | undefined
    for (let t = first; t !== undefined && t.at <= timer.at; t = t.next) before = t
    timer.next = before === undefined ? first : before.next
    if (before === undefined) first = timer
    else before.next = timer
    pending++
    return () => remove(timer)
  }
  const moveTo = async (target: number): Promise<void> => {
    await settle()
    for (;;) {
      const timer = first
      if (timer === undefined || timer.at > target) break
      remove(timer)
      now = Math.max(now, timer.at)
      timer.call()
      await settle()
    }
    now = target
    await settle()
  }

  return {
    wall: () => offset + now,
    monotonic: () => now,
    after,
    ...waits(after),
    advance: ms => moveTo(now + ms),
    advanceToNext: async () => {
      await settle()
      if (first === undefined) return undefined
      const by = Math.max(0, first.at - now)
      await moveTo(now + by)
      return by
    },
    setWall: wall => {
      offset = wall - now
    },
    get pending() {
      return pending
    },
  }
}

/** Chance that repeats: the same seed gives the same numbers (mulberry32; never for secrets). */
export const seededRandom = (seed: number): Random => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  return {
    next,
    int: below => Math.floor(next() * below),
    bytes: length => Uint8Array.from({ length }, () => Math.floor(next() * 256)),
  }
}
