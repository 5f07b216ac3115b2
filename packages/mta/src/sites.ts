import type { SiteKey } from '@posthorn/contracts'
import { parseSite } from '@posthorn/intake'
import type { Egress } from '@posthorn/plugin'
import { Allowance } from './allowance.ts'
import { Lane } from './lane.ts'
import type { Pool } from './lane.ts'
import type { LimitBook } from './limits.ts'
import { Site } from './site.ts'

/** Where a route by MX leads, as far as sites that lead to the same place share what is learnt of it. */
export interface Reach {
  /** Names of the mail exchangers, best first; none when they cannot be found. */
  readonly mx: readonly string[]
  /** The TLS policy towards them, such as `may`. */
  readonly tls: string
}

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
  readonly #book: LimitBook | undefined
  readonly #asks: (site: Site) => boolean

  /** `asks`: whether there is more to find out about a site before its first attempt. */
  constructor(
    limits: Concurrency,
    o: { readonly book?: LimitBook | undefined; readonly asks: (site: Site) => boolean },
  ) {
    this.#limits = limits
    this.#book = o.book
    this.#asks = o.asks
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
      const allowance = this.#book?.find(key, [])
      const lane = this.#newLane(key, pool, this.#most(pool, allowance?.limit.connections))
      site = new Site(key, pool, lane)
      if (allowance !== undefined) this.shape(site, {}, -1)
      if (!this.#asks(site)) site.shapedUntil = Infinity
      this.#byKey.set(key, site)
    }
    return site
  }

  /** Apply what was found out about a site: the receiver that it leads to, the operator's limits, and what `egress` said, which goes before them. */
  shape(
    site: Site,
    found: { readonly reach?: Reach | undefined; readonly egress?: Egress | undefined },
    until: number,
  ): void {
    const { reach, egress } = found
    site.shapedUntil = until
    const allowance = this.#book?.find(site.key, reach?.mx ?? [])
    const { source, messagesPerConnection = allowance?.limit.messagesPerConnection } = egress ?? {}
    const chunking = allowance?.limit.chunking !== false
    site.egress =
      source === undefined && messagesPerConnection === undefined && chunking
        ? undefined
        : {
            ...(source === undefined ? undefined : { source }),
            ...(messagesPerConnection === undefined ? undefined : { messagesPerConnection }),
            ...(chunking ? undefined : { chunking }),
          }
    const most = this.#most(site.pool, egress?.concurrency ?? allowance?.limit.connections)
    const lane = this.#laneFor(site, egress?.lane ?? (reach && receiverOf(reach, source)), most)
    if (lane !== site.lane) site.moveTo(lane)
    lane.allowance = allowanceOf(lane, allowance, egress?.perSecond)
  }

  /** What one site learns is no longer true of those that it shared a lane with. */
  separate(site: Site): void {
    const { allowance, most } = site.lane
    site.moveTo(this.#newLane(site.key, site.pool, most))
    site.lane.allowance = allowance
  }

  /** Forget sites that have had nothing to do for long. */
  sweep(now: number): void {
    const used = new Set<Lane>()
    for (const [key, site] of this.#byKey) {
      const lifetime = site.lane.health.pauses > 0 ? deadLifetime : idleLifetime
      if (site.running === 0 && site.waitingClaims === 0 && now - site.lastUsed > lifetime) {
        this.#byKey.delete(key)
        site.lane.sites.delete(site)
      } else used.add(site.lane)
    }
    for (const [name, lane] of this.#lanes) if (!used.has(lane) && lane.running === 0) this.#lanes.delete(name)
  }

  #laneFor(site: Site, name: string | undefined, most: number): Lane {
    if (name === undefined) {
      const own = site.lane.name === site.key && site.lane.most === most
      return own ? site.lane : this.#newLane(site.key, site.pool, most)
    }
    let lane = this.#lanes.get(name)
    if (lane === undefined) {
      lane = this.#newLane(name, site.pool, most)
      this.#lanes.set(name, lane)
    }
    return lane
  }
  #newLane(name: string, pool: Pool, most: number): Lane {
    return new Lane(name, { start: pool === this.remote ? this.#limits.start : most, most })
  }
  #most(pool: Pool, concurrency: number | undefined): number {
    return Math.max(1, concurrency ?? (pool === this.remote ? this.#limits.perSite : this.#limits.local))
  }
}

/** Of the receivers of a domain, as many names as are worth telling lanes apart by. */
const namesOfLane = 32

/** The name of the lane that leads to the same hosts, in whatever order, under the same terms. */
const receiverOf = ({ mx, tls }: Reach, source: string | undefined): string | undefined => {
  if (mx.length === 0) return undefined
  const hosts = [...new Set(mx.map(host => host.toLowerCase()))].sort().slice(0, namesOfLane)
  return [hosts.join(','), tls, ...(source === undefined ? [] : [`from ${source}`])].join(' ')
}

/** A rate of `egress` is the lane's own and goes before the operator's; and `*` is for each lane by itself. */
const allowanceOf = (
  lane: Lane,
  given: Allowance | undefined,
  perSecond: number | undefined,
): Allowance | undefined => {
  const known = lane.allowance
  if (perSecond === undefined && given?.name !== '*') return given
  const limit = perSecond === undefined ? given?.limit : { ...given?.limit, rate: { messages: perSecond, ms: 1000 } }
  if (limit === undefined) return undefined
  const { rate } = limit
  const same = known?.limit.rate?.messages === rate?.messages && known?.limit.rate?.ms === rate?.ms
  return known !== undefined && same ? known : new Allowance(given?.name ?? lane.name, limit)
}

const isRemote = (key: SiteKey): boolean => {
  const { transport } = parseSite(key)
  return transport === 'mx' || transport === 'smtp' || transport === 'lmtp'
}
