import type { Clock } from '@posthorn/contracts'

/** Tells who sleeps until the next due time that something came in between. */
export interface Waker {
  readonly on: (call: () => void) => () => void
  /** A group made something ready at that wall time. */
  ready(at: number): void
  /** What `nextDue` answered last: nobody needs waking for what comes later. */
  promise(at: number | undefined): void
}

export const createWaker = (clock: Clock): Waker => {
  const calls = new Set<{ readonly call: () => void }>()
  let promised = Infinity
  return {
    on: call => {
      const entry = { call }
      calls.add(entry)
      return () => void calls.delete(entry)
    },
    ready: at => {
      if (at > clock.wall() && at >= promised) return
      promised = Math.min(promised, at)
      // Later in the turn, so that what a caller throws cannot fail the commit that woke it.
      for (const { call } of calls) void Promise.resolve().then(call)
    },
    promise: at => {
      promised = at ?? Infinity
    },
  }
}
