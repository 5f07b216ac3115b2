import type { Clock } from '@posthorn/contracts'
import type { Allowance } from './allowance.ts'
import type { Burial } from './burial.ts'
import type { Site } from './site.ts'

/** Mail that a rate lets go within this time waits here, in ms; the rest waits in the queue, at most so long before it asks again. */
const rateHorizon = 60_000
const longestRation = 3_600_000

export interface ThrottleOptions {
  readonly clock: Clock
  readonly burial: Burial
  /** The site may ask again. */
  readonly ready: (site: Site) => void
}

/** Keeps sites to the operator's limits: what may not begin yet waits for a connection or for the rate, and is woken in turn. */
export class Throttle {
  readonly #o: ThrottleOptions

  constructor(o: ThrottleOptions) {
    this.#o = o
  }

  /** Whether the limits let one more begin at `now`, in monotonic ms; if not, the site is woken when they may. */
  allows(site: Site, allowance: Allowance, now: number): boolean {
    const wait = allowance.nextAt - now
    if (allowance.hasRoom && wait <= 0) return true
    allowance.waiting.add(site)
    if (wait <= 0) return false
    this.#wakeAfter(allowance, wait)
    const soon = Math.max(1, Math.floor(rateHorizon / allowance.interval / allowance.waiting.size))
    if (site.waitingClaims > soon) {
      const { burial, clock } = this.#o
      const turn = wait + soon * allowance.interval * allowance.waiting.size
      burial.ration(site, soon, clock.wall() + Math.min(turn, longestRation), allowance.why)
    }
    return false
  }

  /** Those that waited longest may ask again: as many as there is room for, and of a rate one at a time. */
  wake(allowance: Allowance): void {
    const wait = allowance.nextAt - this.#o.clock.monotonic()
    if (wait > 0) return allowance.waiting.size > 0 ? this.#wakeAfter(allowance, wait) : undefined
    let room = allowance.interval > 0 ? 1 : allowance.room
    for (const site of allowance.waiting) {
      if (room-- <= 0) break
      allowance.waiting.delete(site)
      this.#o.ready(site)
    }
    // Whether that one begins or not, the others have their turn.
    if (allowance.interval > 0 && allowance.waiting.size > 0) this.#wakeAfter(allowance, allowance.interval)
  }

  /** One timer for all that wait for a rate. */
  #wakeAfter(allowance: Allowance, ms: number): void {
    allowance.cancelTimer ??= this.#o.clock.after(ms, () => {
      allowance.cancelTimer = undefined
      this.wake(allowance)
    })
  }
}
