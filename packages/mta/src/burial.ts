import type { Claim, Clock, Journal, Outcome, Queue, Random } from '@posthorn/contracts'
import type { Ending } from './attempt.ts'
import type { Concluder } from './concluder.ts'
import { reasonOf } from './judge.ts'
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
  failed(site: Site, endings: readonly Ending[]): void {
    const now = this.#o.clock.wall()
    if (endings.some(({ claim }) => now < expiryOf(claim, this.#o.settings.life))) site.young = true
  }

  bury(site: Site, failure: Outcome): void {
    const { clock, random, settings, concluder } = this.#o
    const now = clock.wall()
    const back: Held[] = []
    const over: Held[] = []
    this.#sort(site, claim => {
      if (now < expiryOf(claim, settings.life)) return back
      return claim.attempts > 0 ? over : undefined
    })
    concluder.giveUp(over, failure)
    if (back.length === 0 && !site.young) return site.buried()
    const until = now + siteDelay(settings.life.retry, site.pauses + 1, random)
    const why = `site does not answer: ${reasonOf(failure)}`
    site.buried(until)
    concluder.release(back, until, why)
    void this.#pause(site, until, why)
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

  async #pause(site: Site, until: number, why: string): Promise<void> {
    try {
      await this.#o.queue.pause(site.key, until, why)
    } catch (error) {
      // The claims were given back with the same due time; only mail that comes in now is tried sooner.
      this.#o.journal.event('error', { where: 'pause', site: site.key, cause: String(error) }, 'error')
    }
  }
}
