import type { Claim, Clock, Journal, Outcome, Queue, Random } from '@posthorn/contracts'
import type { Ending } from './attempt.ts'
import type { Concluder } from './concluder.ts'
import { signOf } from './health.ts'
import { hintedPause } from './hint.ts'
import { reasonOf } from './judge.ts'
import type { Lane } from './lane.ts'
import type { Settings } from './options.ts'
import type { Parcel } from './parcel.ts'
import { expiryOf } from './policy.ts'
import { siteDelay } from './schedule.ts'
import type { Site } from './site.ts'

export interface BurialOptions {
  readonly queue: Pick<Queue, 'pause'>
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
  readonly settings: Settings
  readonly concluder: Concluder
}
interface Held {
  readonly parcel: Parcel
  readonly claim: Claim
}

/**
 * What happens to mail for a site that does not answer. It is given back untried and the site is paused, longer each time. What
 * has no time left is returned if it was ever tried; if it never was, it gets its one try first: no bounce without an attempt.
 */
export class Burial {
  readonly #o: BurialOptions

  constructor(o: BurialOptions) {
    this.#o = o
  }

  /** An attempt did not get through. Only mail that has time left asks for a pause. */
  failed(lane: Lane, endings: readonly Ending[]): void {
    const now = this.#o.clock.wall()
    if (endings.some(({ claim }) => now < expiryOf(claim, this.#o.settings.life))) lane.health.young = true
  }

  /** Leave a receiver alone, with all sites that lead to it. */
  bury(lane: Lane, failed: Site, failure: Outcome): void {
    const { clock, random, settings, concluder } = this.#o
    const now = clock.wall()
    const sites = [...lane.sites].filter(site => site === failed || site.waitingClaims > 0)
    const back = sites.flatMap(site => this.#withTime(site, now, failure))
    const { health } = lane
    if (back.length === 0 && !health.young) return health.rest()
    const hint = failure.reply && hintedPause(failure.reply)
    const until = now + siteDelay(settings.life.retry, health.pauses + 1, random, hint)
    const busy = signOf(failure) === 'busy'
    const why = `site ${busy ? 'asks for less' : 'does not answer'}: ${reasonOf(failure)}`
    health.rest({ until, why, failure })
    concluder.release(back, until, why)
    for (const site of sites) this.#pause(site, until, why)
  }

  /** A site has come to a receiver that is left alone. Says whether it has something to try all the same. */
  join(site: Site): boolean {
    const { until, why, failure } = site.lane.health
    if (failure !== undefined)
      this.#o.concluder.release(this.#withTime(site, this.#o.clock.wall(), failure), until, why)
    this.#pause(site, until, why)
    return site.waitingClaims > 0
  }

  /** Take out what has time left. Of what has none, that is returned which was ever tried; the rest stays, for its one try. */
  #withTime(site: Site, now: number, failure: Outcome): readonly Held[] {
    const { concluder, settings } = this.#o
    const back: Held[] = []
    const over: Held[] = []
    this.#sort(site, claim => {
      if (now < expiryOf(claim, settings.life)) return back
      return claim.attempts > 0 ? over : undefined
    })
    concluder.giveUp(over, failure)
    return back
  }

  /** More waits than the rate lets go soon: all but the first `keep` go back until `due`. */
  ration(site: Site, keep: number, due: number, why: string): void {
    const back: Held[] = []
    let kept = 0
    this.#sort(site, () => (kept++ < keep ? undefined : back))
    this.#o.concluder.release(back, due, why)
    this.#pause(site, due, why)
  }

  /** Give back all that waits for a site. */
  release(site: Site, due: number, why: string): void {
    const back: Held[] = []
    this.#sort(site, () => back)
    this.#o.concluder.release(back, due, why)
  }

  /** Return what an operator wants returned; none of it is tried. */
  sendBack(site: Site): void {
    const back: Held[] = []
    this.#sort(site, () => back)
    this.#o.concluder.sendBack(back)
  }

  /** Take waiting claims out into the heaps that `heapOf` names; undefined leaves them. */
  #sort(site: Site, heapOf: (claim: Claim) => Held[] | undefined): void {
    for (const parcel of site.waiting.values()) {
      const stays: Claim[] = []
      for (const claim of parcel.claims) {
        const heap = heapOf(claim)
        if (heap === undefined) stays.push(claim)
        else heap.push({ parcel, claim })
      }
      site.keepOnly(parcel, stays)
    }
  }

  #pause(site: Site, until: number, why: string): void {
    site.pausedUntil = until
    this.#o.queue.pause(site.key, until, why).catch((error: unknown) => {
      // The claims were given back with the same due time; only mail that comes in now is tried sooner.
      this.#o.journal.event('error', { where: 'pause', site: site.key, cause: String(error) }, 'error')
    })
  }
}
