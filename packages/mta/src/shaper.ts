import type { Clock, Journal } from '@posthorn/contracts'
import type { Chain } from '@posthorn/plugin'
import type { Burial } from './burial.ts'
import type { Settings } from './options.ts'
import type { Site } from './site.ts'
import type { Reach, Sites } from './sites.ts'

/** How long it holds where a site leads and what `egress` said of it, in ms. */
const shapeLifetime = 60_000

export interface ShaperOptions {
  readonly clock: Clock
  readonly journal: Journal
  readonly chain: Chain
  readonly settings: Settings
  readonly sites: Sites
  readonly reach?: (domain: string, signal: AbortSignal) => Promise<Reach>
}

/** Finds out where a site leads and what limits it. */
export class Shaper {
  readonly #o: ShaperOptions
  readonly #burial: Burial
  readonly #ready: (site: Site) => void
  readonly #asksEgress: boolean

  /** `ready` is called when it has been found out, or not: the site may ask again. */
  constructor(o: ShaperOptions, burial: Burial, ready: (site: Site) => void) {
    this.#o = o
    this.#burial = burial
    this.#ready = ready
    this.#asksEgress = o.chain.has('egress')
  }

  /** Nothing of the site begins meanwhile; when it cannot be found out, what waits is given back. Never rejects. */
  async shape(site: Site, signal: AbortSignal): Promise<void> {
    const { chain, clock, sites, journal, settings } = this.#o
    site.busy = true
    try {
      const reach = site.route?.via === 'mx' ? await this.#o.reach?.(site.route.domain, signal) : undefined
      const egress = this.#asksEgress
        ? await chain.claim('egress', { site: site.key, mx: reach?.mx ?? [] }, { signal })
        : undefined
      if (egress !== undefined && 'failed' in egress) throw new Error(`plugin ${egress.plugin} failed in egress`)
      sites.shape(site, { reach, egress }, clock.monotonic() + shapeLifetime)
    } catch (error) {
      // How much it bears and from where is not known: nothing is sent rather than too much.
      const why = error instanceof Error ? error.message : String(error)
      journal.event('error', { where: 'egress', site: site.key, cause: why }, 'error')
      this.#burial.release(site, clock.wall() + settings.life.retry.firstMs, why)
    }
    site.busy = false
    this.#ready(site)
  }
}
