import type { Claim, Handoff, Owner, QueueId, SiteKey } from '@posthorn/contracts'
import { Announcer } from './announcer.ts'
import { Attempts } from './attempt.ts'
import { Claimer } from './claimer.ts'
import { Concluder } from './concluder.ts'
import { expansions } from './expansions.ts'
import { Idle } from './idle.ts'
import { LeaseKeeper } from './leases.ts'
import { LimitBook } from './limits.ts'
import { settingsOf } from './options.ts'
import type { DispatcherOptions, Settings } from './options.ts'
import type { Parcel } from './parcel.ts'
import { ReportLimit } from './report-limit.ts'
import { Reporter } from './reporter.ts'
import { Runner } from './runner.ts'
import { Settler } from './settler.ts'
import type { Site } from './site.ts'
import { Sites } from './sites.ts'
import { Stock } from './stock.ts'

/** Batches of settlements under way at once. */
const parallelSettles = 4
/** How long attempts that were told to stop, and then the store, have to come to an end. */
const lastGraceMs = 5_000

/** Where claims pass through that an operator wants returned, whatever site they were for. */
const returnsKey = 'bounce:' as SiteKey

/** One site as the dispatcher sees it now. */
export interface SiteStats {
  readonly site: SiteKey
  /** Sites with the same lane share its window and its pauses. */
  readonly lane: string
  readonly waiting: number
  readonly running: number
  readonly window: number
  /** Wall time in ms, when it is paused. */
  readonly pausedUntil?: number
}
export interface DispatcherStats {
  /** Deliveries leased to us. */
  readonly held: number
  /** Octets of their messages in memory. */
  readonly bytes: number
  /** Attempts under way. */
  readonly running: number
  /** Ends of attempts that are not on stable storage yet. */
  readonly settling: number
  /** Of the sites with something to do or in a pause. */
  readonly sites: readonly SiteStats[]
}

/** Takes due mail out of the queue and sees to it that every delivery ends: delivered, tried again later, or returned. */
export interface Dispatcher extends Handoff {
  /** Frees the leases of dead dispatchers and begins to claim. Rejects with StoreError when the queue cannot be read. */
  start(): Promise<void>
  /** Claims nothing more, gives back what waits and lets attempts end for `graceMs`; then breaks them off. */
  drain(graceMs: number): Promise<void>
  /** Drains without grace and gives back all leases. */
  stop(): Promise<void>
  /** Try nothing of that site for `ms`. */
  pause(site: SiteKey, ms: number, why: string): Promise<void>
  /** Why a message that we hold for a site is not being tried; undefined when it is, or when we do not hold it. */
  whyWaits(site: SiteKey, id: QueueId): string | undefined
  /** Give back what waits for that site, untried: an operator has suspended it. */
  giveBack(site: SiteKey, why: string): void
  stats(): DispatcherStats
}

/** Make a dispatcher; nothing happens before `start` or the first message handed over. */
export const createDispatcher = (o: DispatcherOptions): Dispatcher => new QueueDispatcher(o)

class QueueDispatcher implements Dispatcher {
  readonly owner: Owner
  readonly leaseMs: number
  readonly #o: DispatcherOptions
  readonly #settings: Settings
  readonly #sites: Sites
  readonly #stock = new Stock()
  readonly #idle = new Idle()
  readonly #settler: Settler
  readonly #claimer: Claimer
  readonly #keeper: LeaseKeeper
  readonly #concluder: Concluder
  readonly #runner: Runner
  #accepting = true
  #draining: Promise<void> | undefined

  constructor(o: DispatcherOptions) {
    const settings = settingsOf(o)
    const { queue, clock, journal, random } = o
    this.#o = o
    this.#settings = settings
    this.owner = o.owner ?? newOwner(o)
    this.leaseMs = settings.leaseMs
    const asksEgress = o.chain.has('egress')
    this.#sites = new Sites(settings.concurrency, {
      book: o.limits && new LimitBook(o.limits),
      asks: ({ route }) => asksEgress || (o.reach !== undefined && route?.via === 'mx'),
    })
    this.#settler = new Settler({ queue, clock, journal, parallel: parallelSettles })
    const shared = { queue, clock, journal, random, settler: this.#settler, life: settings.life, idle: this.#idle }
    const close = (parcel: Parcel): void => {
      this.#stock.close(parcel)
      this.#runner.nudge()
      this.#roomMade('stock')
    }
    const announcer = new Announcer({
      journal,
      chain: o.chain,
      ...(o.classify === undefined ? undefined : { classify: o.classify }),
    })
    const told = { ...shared, announcer, close }
    const reporter = new Reporter({
      ...told,
      hostname: o.hostname,
      prepareReport: o.prepareReport,
      successes: new ReportLimit(settings.successesPerHour),
    })
    this.#concluder = new Concluder({ ...told, reporter })
    this.#runner = new Runner({
      ...shared,
      settings,
      sites: this.#sites,
      stock: this.#stock,
      concluder: this.#concluder,
      attempts: new Attempts({ chain: o.chain, transports: { expanded: expansions, ...o.transports }, clock, journal }),
      chain: o.chain,
      ...(o.reach === undefined ? undefined : { reach: o.reach }),
      roomMade: where => this.#roomMade(where),
    })
    this.#claimer = new Claimer({
      queue,
      clock,
      journal,
      owner: this.owner,
      leaseMs: settings.leaseMs,
      perSite: settings.perClaim,
      room: () => this.#room(),
      full: () => this.#runner.crowded,
      admit: (claims, until) => this.#admit(claims, until),
    })
    this.#keeper = new LeaseKeeper({
      queue,
      clock,
      journal,
      leaseMs: settings.leaseMs,
      parcels: this.#stock.parcels,
      dropped: (parcel, site, claims) => this.#stock.drop(parcel, site, claims),
      tick: now => this.#runner.tick(now),
    })
  }

  async start(): Promise<void> {
    const { queue, journal } = this.#o
    if (this.#o.sole !== false) {
      const freed = await queue.disown({ except: this.owner })
      if (freed > 0) journal.event('queue.recovered', { leases: freed }, 'warn')
    }
    this.#keeper.start()
    this.#claimer.start()
  }

  wants(sites: readonly SiteKey[]): boolean {
    const { held, heldBytes } = this.#settings
    if (!this.#accepting || this.#stock.claims + sites.length > held || this.#stock.bytes >= heldBytes) return false
    if (this.#settler.backlog > held) return false
    for (const key of sites) {
      const site = this.#sites.find(key)
      if (site === undefined) continue
      const now = this.#o.clock.wall()
      if (site.waitingClaims >= held / 2 || site.pausedUntil > now || site.lane.health.isResting(now)) return false
    }
    return true
  }

  take(claims: readonly Claim[]): void {
    this.#admit(claims, this.#o.clock.monotonic() + this.leaseMs)
  }

  async pause(key: SiteKey, ms: number, why: string): Promise<void> {
    await this.#runner.pause(this.#sites.get(key), this.#o.clock.wall() + ms, why)
  }

  giveBack(key: SiteKey, why: string): void {
    this.#runner.giveBackSite(key, why)
  }

  whyWaits(key: SiteKey, id: QueueId): string | undefined {
    return this.#sites.find(key)?.whyWaits(id)
  }

  drain(graceMs: number): Promise<void> {
    return (this.#draining ??= this.#drain(graceMs))
  }

  async stop(): Promise<void> {
    await this.drain(0)
    this.#keeper.stop()
    this.#settler.close()
    await this.#o.queue.disown({ owner: this.owner, resigns: true }).catch((error: unknown) => {
      // They end with this process anyway.
      this.#o.journal.event('error', { where: 'disown', cause: String(error) }, 'error')
    })
  }

  stats(): DispatcherStats {
    const now = this.#o.clock.wall()
    const sites: SiteStats[] = []
    for (const { key, waitingClaims, running, lane, ...site } of this.#sites.values()) {
      const pausedUntil = lane.health.isResting(now) ? Math.max(site.pausedUntil, lane.health.until) : site.pausedUntil
      const paused = pausedUntil > now
      if (waitingClaims === 0 && running === 0 && !paused) continue
      const stats = { site: key, lane: lane.name, waiting: waitingClaims, running, window: lane.window.size }
      sites.push(paused ? { ...stats, pausedUntil } : stats)
    }
    const { claims: held, bytes } = this.#stock
    return { held, bytes, running: this.#runner.running, settling: this.#settler.backlog, sites }
  }

  #admit(claims: readonly Claim[], until: number): void {
    if (!this.#accepting) {
      for (const claim of claims) this.#stock.add(this.#sites.get(claim.site), claim, until)
      this.#runner.giveBack('the dispatcher is draining')
      return
    }
    let returns: Site | undefined
    for (const claim of claims) {
      if (claim.bounce !== undefined) {
        returns ??= this.#sites.get(returnsKey)
        this.#stock.add(returns, claim, until)
        continue
      }
      const site = this.#sites.get(claim.site)
      this.#stock.add(site, claim, until)
      this.#runner.ready(site)
    }
    if (returns !== undefined) this.#runner.sendBack(returns)
  }

  /** How many more claims may be held; none rather than a few, so that claims come in worthwhile numbers. */
  #room(): number {
    const { held, heldBytes, perClaim } = this.#settings
    if (this.#stock.bytes >= heldBytes || this.#settler.backlog > held) return 0
    const room = held - this.#stock.claims
    return room < Math.min(perClaim, held / 4) ? 0 : room
  }

  #roomMade(where: 'site' | 'stock'): void {
    if (this.#claimer.starved === where && this.#room() > 0) this.#claimer.wake()
  }

  async #drain(graceMs: number): Promise<void> {
    this.#accepting = false
    await this.#claimer.stop()
    this.#runner.giveBack('the dispatcher is draining')
    if (!(await this.#within(graceMs))) {
      this.#runner.abort()
      await this.#within(lastGraceMs)
    }
  }

  /** Whether everything came to its end in time. */
  #within(ms: number): Promise<boolean> {
    const ended = this.#idle.reached().then(() => this.#settler.settled())
    return new Promise(resolve => {
      const cancel = this.#o.clock.after(ms, () => resolve(false))
      void ended.then(() => {
        cancel()
        resolve(true)
      })
    })
  }
}

const newOwner = (o: DispatcherOptions): Owner => {
  const nonce = Array.from(o.random.bytes(8), byte => byte.toString(16).padStart(2, '0')).join('')
  return `${o.hostname}-${nonce}` as Owner
}
