import type { Clock } from '@posthorn/contracts'

/** Less than this, in ms, is the way to the database rather than a clock that is wrong. */
const tolerance = 1_000

/** The database's time beside ours. */
export interface Time {
  /** How far the database's clock is ahead of ours, in ms. */
  readonly skew: number
  /** What the database's clock said just now. */
  readonly note: (now: number) => void
  readonly toDatabase: (wall: number) => number
}

/** Times go into the database, and come out of it, moved by the difference: a node whose clock is wrong harms nobody. */
export const createTime = (clock: Clock): Time => {
  let skew = 0
  return {
    get skew() {
      return skew
    },
    note: now => {
      const seen = now - Math.floor(clock.wall())
      skew = Math.abs(seen) < tolerance ? 0 : seen
    },
    toDatabase: wall => Math.ceil(wall + skew),
  }
}
