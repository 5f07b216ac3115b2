import { waits } from '@posthorn/testkit'
import type { Clock } from '@posthorn/contracts'
import type { Life, World } from './world.ts'
import { epoch } from './world.ts'

/** The clock of one life. Its monotonic time starts with it; its wall time may be set by `skew`. */
export interface SimulatedClock extends Clock {
  /** What its wall time is off by, in ms. */
  skew: number
}

/** A clock of virtual time. What waits on it waits for ever once the life is over. */
export const simulatedClock = (world: World, life: Life, skew = 0): SimulatedClock => {
  const born = world.now
  // A timer of Node takes a millisecond at least. A clock on which 0 ms pass in no time would let a loop spin on a rounding error.
  const after = (ms: number, call: () => void): (() => void) => world.after(Math.max(1, ms), call, life)
  const clock: SimulatedClock = {
    skew,
    wall: () => Math.floor(epoch + world.now + clock.skew),
    monotonic: () => world.now - born,
    after,
    ...waits(after),
  }
  return clock
}
