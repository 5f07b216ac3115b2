import type { Outcome, SiteKey } from '@posthorn/contracts'
import type { Allowance } from './allowance.ts'
import type { Attempts, Ending } from './attempt.ts'
import { Burial } from './burial.ts'
import type { BurialOptions } from './burial.ts'
import { signOf } from './health.ts'
import type { Idle } from './idle.ts'
import type { Lane } from './lane.ts'
import type { Parcel } from './parcel.ts'
import type { Settler } from './settler.ts'
import { Shaper } from './shaper.ts'
import type { ShaperOptions } from './shaper.ts'
import type { Site } from './site.ts'
import type { Stock } from './stock.ts'
import { Throttle } from './throttle.ts'

export interface RunnerOptions extends BurialOptions, ShaperOptions {
  readonly stock: Stock
  readonly settler: Settler
  readonly attempts: Attempts
  readonly idle: Idle
  /** Called when a site has little left to do, or something has left: more may be claimed. */
  readonly roomMade: (where: 'site' | 'stock') => void
}

/** One attempt under way. */
interface Run {
  readonly site: Site
  readonly lane: Lane
  readonly allowance: Allowance | undefined
  readonly parcels: readonly Parcel[]
  readonly controller: AbortController
  /** Wall and monotonic ms. */
  readonly at: number
  readonly began: number
  /** The lane's, at the start. */
  readonly life: number
}

/** Starts attempts as lanes and pools have room for them, one site after the other, and learns from how they end. */
export class Runner {
  readonly #o: RunnerOptions
  readonly #runs = new Set<Run>()
  readonly #burial: Burial
  readonly #shaper: Shaper
  readonly #throttle: Throttle
  readonly #stopped = new AbortController()
  #scheduled = false
  readonly #crowded = new Set<SiteKey>()

  constructor(o: RunnerOptions) {
    this.#o = o
    this.#burial = new Burial(o)
    const ready = (site: Site): void => this.ready(site)
    this.#shaper = new Shaper(o, this.#burial, ready)
    this.#throttle = new Throttle({ clock: o.clock, burial: this.#burial, ready })
  }

  get running(): number {
    return this.#runs.size
  }
  /** Sites that have enough to do for now. */
  get crowded(): ReadonlySet<SiteKey> {
    for (const key of this.#crowded) if (!this.#isCrowded(this.#o.sites.find(key))) this.#crowded.delete(key)
    return this.#crowded
  }

  /** The site has something to start. */
  ready(site: Site): void {
    if (site.waitingClaims >= this.#o.settings.perClaim) this.#crowded.add(site.key)
    if (site.waitingClaims > 0) site.pool.ready.add(site)
    this.#schedule()
  }

  /** The site has mail that an operator wants returned: that is all it has. */
  sendBack(site: Site): void {
    this.#burial.sendBack(site)
  }

  /** Something was settled: sites that wait for the store to keep up may go on. */
  nudge(): void {
    const { remote, local } = this.#o.sites
    if (remote.ready.size > 0 || local.ready.size > 0) this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    // What arrives in one turn of the event loop starts together, so that batches form.
    queueMicrotask(() => {
      this.#scheduled = false
      this.#pump()
    })
  }

  /** Give back what waits for one site. */
  giveBackSite(key: SiteKey, why: string): void {
    const site = this.#o.sites.find(key)
    if (site !== undefined) this.#burial.release(site, this.#o.clock.wall(), why)
  }

  /** Give back all that waits. */
  giveBack(why: string): void {
    const now = this.#o.clock.wall()
    for (const site of this.#o.sites.values()) this.#burial.release(site, now, why)
  }

  async pause(site: Site, until: number, why: string): Promise<void> {
    site.pausedUntil = until
    this.#burial.release(site, until, why)
    await this.#o.queue.pause(site.key, until, why)
  }

  /** Break off all attempts; what they put off counts as not tried. */
  abort(): void {
    this.#stopped.abort(new Error('the dispatcher stopped'))
    for (const run of this.#runs) run.controller.abort(this.#stopped.signal.reason)
  }

  /** Now and then: break off what takes far too long, and forget what is long unused. */
  tick(now: number): void {
    const { settings, sites } = this.#o
    for (const run of this.#runs) {
      const ms = now - run.began
      if (ms > settings.attemptMs + settings.leaseMs) this.#writeOff(run)
      else if (ms > settings.attemptMs) run.controller.abort(new Error('the attempt took too long'))
    }
    sites.sweep(now)
  }

  #pump(): void {
    const { sites, settler, settings } = this.#o
    for (const pool of [sites.local, sites.remote])
      for (const site of pool.ready) {
        if (pool.running >= pool.limit || settler.backlog > settings.held) break
        pool.ready.delete(site)
        // To the end of the line: sites take turns.
        if (this.#startOne(site)) pool.ready.add(site)
      }
  }

  /** Whether the site may start another at once. */
  #startOne(site: Site): boolean {
    if (site.waitingClaims === 0 || site.busy || this.#isFewBeside(site)) return false
    const { clock } = this.#o
    const now = clock.monotonic()
    if (now >= site.shapedUntil) {
      void this.#o.idle.during(this.#shaper.shape(site, this.#stopped.signal))
      return false
    }
    const { lane } = site
    if (lane.health.pauses > 0 && lane.health.isResting(clock.wall()) && !this.#burial.join(site)) return false
    if (!lane.hasRoom) {
      lane.blocked.add(site)
      return false
    }
    const { allowance } = lane
    if (allowance !== undefined && !this.#throttle.allows(site, allowance, now)) return false
    const parcels = this.#takeParcels(site)
    allowance?.spend(parcels.length, now)
    void this.#run({
      site,
      lane,
      allowance,
      parcels,
      controller: new AbortController(),
      at: clock.wall(),
      began: now,
      life: lane.health.life,
    })
    return site.waitingClaims > 0
  }

  /** Beside a batch that runs only a full one begins: each pays for syncs of its own, so the more go together the less each costs. */
  #isFewBeside(site: Site): boolean {
    const { settings, attempts } = this.#o
    return site.running > 0 && site.waitingClaims < settings.batch && attempts.batches(site)
  }

  #takeParcels(site: Site): readonly Parcel[] {
    const { settings, stock, attempts } = this.#o
    const most = attempts.batches(site) ? settings.batch : 1
    const parcels: Parcel[] = []
    while (parcels.length < most) {
      const next = site.next(site.lane.allowance?.limit.recipients ?? settings.recipients)
      if (next === undefined) break
      if (next.rest !== undefined) stock.keep(next.rest, site)
      next.parcel.begun = true
      parcels.push(next.parcel)
    }
    if (!this.#isCrowded(site) && this.#crowded.delete(site.key)) this.#o.roomMade('site')
    return parcels
  }

  #isCrowded(site: Site | undefined): boolean {
    return site !== undefined && site.waitingClaims >= this.#o.settings.perClaim / 2
  }

  async #run(run: Run): Promise<void> {
    const { site, lane, allowance, parcels, controller } = run
    const { idle, clock, attempts, concluder, roomMade } = this.#o
    this.#runs.add(run)
    idle.begin()
    site.running++
    lane.running++
    if (allowance !== undefined) allowance.running++
    site.pool.running++
    if (this.#stopped.signal.aborted) controller.abort(this.#stopped.signal.reason)
    const endings = await attempts.run(site, parcels, controller.signal)
    // Written off in the meantime: its place and its claims are no longer its own.
    if (!this.#runs.delete(run)) return
    const ms = clock.monotonic() - run.began
    const stopped = this.#stopped.signal.aborted
    this.#leave(run)
    if (!stopped) this.#learn(run, endings)
    concluder.conclude(endings, { at: run.at, now: clock.wall(), ms }, stopped)
    idle.end()
    roomMade('stock')
  }

  #leave({ site, lane, allowance }: Run): void {
    site.running--
    site.lastUsed = this.#o.clock.monotonic()
    lane.running--
    if (allowance !== undefined) {
      allowance.running--
      this.#throttle.wake(allowance)
    }
    site.pool.running--
    if (lane.blocked.size > 0) {
      for (const blocked of lane.blocked) blocked.pool.ready.add(blocked)
      lane.blocked.clear()
    }
    this.ready(site)
  }

  #learn({ site, lane: began, life: lifeThen }: Run, endings: readonly Ending[]): void {
    let [lane, life] = [began, lifeThen]
    let failure: Outcome | undefined
    let answered = false
    for (const ending of endings) {
      if (!('outcome' in ending)) continue
      const sign = signOf(ending.outcome)
      if (sign === 'answered') answered = true
      else if (sign !== undefined) failure = ending.outcome
    }
    if (answered) {
      lane.health.answered()
      // It is there, and wants less of us.
      if (failure !== undefined && signOf(failure) === 'busy') lane.window.shrink()
      else lane.window.grow()
      return
    }
    if (failure === undefined) return
    // The DNS and the TLS policy of one domain say nothing of others that go to the same hosts.
    if ((failure.phase === 'dns' || failure.phase === 'tls') && lane === site.lane && lane.name !== site.key) {
      this.#o.sites.separate(site)
      lane = site.lane
      life = lane.health.life
    }
    // What began before the receiver was given up says nothing that was not known then.
    if (life !== lane.health.life) return
    this.#burial.failed(lane, endings)
    const dead = lane.health.failed(lane.window.size)
    lane.window.shrink()
    if (dead) this.#burial.bury(lane, site, failure)
  }

  /** It neither ended nor obeyed: take back its place. What it sent, nobody knows. */
  #writeOff(run: Run): void {
    const { concluder, clock, journal, idle } = this.#o
    this.#runs.delete(run)
    journal.event('error', { where: 'attempt', cause: 'the transport does not end', site: run.site.key }, 'error')
    const outcome: Outcome = { fate: 'unknown', phase: 'local', cause: 'the attempt did not end', status: '4.4.7' }
    const endings = run.parcels.flatMap(parcel => {
      parcel.lost = true
      return parcel.claims.map((claim): Ending => ({ parcel, claim, outcome }))
    })
    this.#leave(run)
    concluder.conclude(endings, { at: run.at, now: clock.wall(), ms: clock.monotonic() - run.began }, false)
    idle.end()
  }
}
