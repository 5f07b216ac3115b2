import type { SiteKey } from '@posthorn/contracts'
import { parseSite } from '@posthorn/intake'
import type { Egress } from '@posthorn/plugin'
import { Lane } from './lane.ts'
import type { Pool } from './lane.ts'
import { Site } from './site.ts'

/** How much may run at once. */
export interface Concurrency {
  /** Attempts towards a site that we know nothing of yet. */
  readonly start: number
  /** At most towards one site. */
  readonly perSite: number
  /** Over the network in all. */
  readonly total: number
  /** Batches towards one site of a transport of our own, such as a local mailbox. */
  readonly local: number
  /** Batches to transports of our own in all: a network that hangs does not stop local delivery. */
  readonly localTotal: number
}
export const defaultConcurrency: Concurrency = { start: 5, perSite: 20, total: 200, local: 2, localTotal: 32 }

/** How long what `egress` said of a site holds, monotonic ms. */
const egressLifetime = 60_000
/** After which a site with nothing to do is forgotten; a dead one later, since its pauses are longer than that. */
const idleLifetime = 10 * 60_000
const deadLifetime = 3 * 3_600_000

/** The sites that this dispatcher has to do with, and the lanes and pools that bound them. */
export class Sites {
  readonly remote: Pool
  readonly local: Pool
  readonly #byKey = new Map<SiteKey, Site>()
  readonly #lanes = new Map<string, Lane>()
  readonly #limits: Concurrency

  constructor(limits: Concurrency) {
    this.#limits = limits
    this.remote = { limit: limits.total, running: 0, ready: new Set() }
    this.local = { limit: limits.localTotal, running: 0, ready: new Set() }
  }

  get size(): number {
    return this.#byKey.size
  }
  values(): Iterable<Site> {
    return this.#byKey.values()
  }
  find(key: SiteKey): Site | undefined {
    return this.#byKey.get(key)
  }
  get(key: SiteKey): Site {
    let site = this.#byKey.get(key)
    if (site === undefined) {
      const pool = isRemote(key) ? this.remote : this.local
      site = new Site(key, pool, this.#ownLane(key, pool, undefined))
      this.#byKey.set(key, site)
    }
    return site
  }

  /** Apply what `egress` said of a site; nothing new leaves its lane, and so its window, as it is. */
  shape(site: Site, egress: Egress | undefined, now: number): void {
    site.egressUntil = now + egressLifetime
    const { source, messagesPerConnection } = egress ?? {}
    site.egress =
      source === undefined && messagesPerConnection === undefined
        ? undefined
        : {
            ...(source === undefined ? undefined : { source }),
            ...(messagesPerConnection === undefined ? undefined : { messagesPerConnection }),
          }
    const lane = this.#laneFor(site, egress)
    if (lane !== site.lane) {
      site.lane.blocked.delete(site)
      site.lane = lane
    }
    lane.perSecond = egress?.perSecond
  }

  /** Forget sites that have had nothing to do for long. */
  sweep(now: number): void {
    const used = new Set<Lane>()
    for (const [key, site] of this.#byKey) {
      const lifetime = site.pauses > 0 ? deadLifetime : idleLifetime
      if (site.running === 0 && site.waitingClaims === 0 && now - site.lastUsed > lifetime) this.#byKey.delete(key)
      else used.add(site.lane)
    }
    for (const [name, lane] of this.#lanes) if (!used.has(lane) && lane.running === 0) this.#lanes.delete(name)
  }

  #laneFor(site: Site, egress: Egress | undefined): Lane {
    const name = egress?.lane
    if (name === undefined) {
      const own = site.lane.name === site.key && site.lane.most === this.#most(site.pool, egress?.concurrency)
      return own ? site.lane : this.#ownLane(site.key, site.pool, egress?.concurrency)
    }
    let lane = this.#lanes.get(name)
    if (lane === undefined) {
      lane = this.#newLane(name, site.pool, egress?.concurrency)
      this.#lanes.set(name, lane)
    }
    return lane
  }
  #ownLane(key: SiteKey, pool: Pool, concurrency: number | undefined): Lane {
    return this.#newLane(key, pool, concurrency)
  }
  #newLane(name: string, pool: Pool, concurrency: number | undefined): Lane {
    const most = this.#most(pool, concurrency)
    return new Lane(name, { start: pool === this.remote ? this.#limits.start : most, most })
  }
  #most(pool: Pool, concurrency: number | undefined): number {
    return Math.max(1, concurrency ?? (pool === this.remote ? this.#limits.perSite : this.#limits.local))
  }
}

const isRemote = (key: SiteKey): boolean => {
  const { transport } = parseSite(key)
  return transport === 'mx' || transport === 'smtp' || transport === 'lmtp'
}
