import type { Claim, Clock, Journal, Owner, Queue, SiteKey } from '@posthorn/contracts'

export interface ClaimerOptions {
  readonly queue: Pick<Queue, 'claim' | 'nextDue' | 'onWake'>
  readonly clock: Clock
  readonly journal: Journal
  readonly owner: Owner
  readonly leaseMs: number
  /** Deliveries of one site in one claim. */
  readonly perSite: number
  /** How many more claims there is room for now. */
  readonly room: () => number
  /** Sites that have enough to do. */
  readonly full: () => ReadonlySet<SiteKey>
  /** Takes what was claimed; `until` is the end of the leases, monotonic. */
  readonly admit: (claims: readonly Claim[], until: number) => void
}

/** A sweep even when nobody wakes us: wake-ups are a courtesy, this is the truth. */
const longestWait = 60_000
/** When something is due that we may not have: a site that is full or paused. */
const shortestWait = 1_000
const longestPause = 30_000

/** Fetches due work while there is room for it, one claim at a time. */
export class Claimer {
  readonly #o: ClaimerOptions
  #running = false
  #wanted = false
  #loop: Promise<void> | undefined
  #cancelTimer: (() => void) | undefined
  #unsubscribe: (() => void) | undefined
  #stop = new AbortController()
  /** What kept it from claiming more: room for anything at all, or sites that had enough to do. */
  starved: 'stock' | 'site' | undefined

  constructor(o: ClaimerOptions) {
    this.#o = o
  }

  start(): void {
    if (this.#running) return
    this.#running = true
    this.#stop = new AbortController()
    this.#unsubscribe = this.#o.queue.onWake(() => this.wake())
    this.wake()
  }

  /** Resolves when no claim is under way any more. */
  async stop(): Promise<void> {
    this.#running = false
    this.#unsubscribe?.()
    this.#cancelTimer?.()
    this.#stop.abort(new Error('the dispatcher is draining'))
    await this.#loop
  }

  /** There may be something due, or room for it. */
  wake(): void {
    if (!this.#running) return
    this.#wanted = true
    this.#loop ??= this.#claimAll().finally(() => {
      this.#loop = undefined
      if (this.#wanted) this.wake()
    })
  }

  async #claimAll(): Promise<void> {
    let pause = 500
    while (this.#wanted && this.#running) {
      this.#wanted = false
      try {
        await this.#claimOnce()
        pause = 500
      } catch (error) {
        this.#o.journal.event('error', { where: 'claim', cause: String(error) }, 'error')
        this.#wanted = true
        await this.#o.clock.sleep(pause, this.#stop.signal).catch(() => undefined)
        pause = Math.min(longestPause, pause * 2)
      }
    }
  }

  async #claimOnce(): Promise<void> {
    const { queue, clock, owner, leaseMs } = this.#o
    const room = this.#o.room()
    this.starved = room > 0 ? undefined : 'stock'
    if (room <= 0) return
    const skip = this.#o.full()
    const perSite = Math.max(1, Math.min(this.#o.perSite, Math.floor(room / 4)))
    const until = clock.monotonic() + leaseMs
    const claims = await queue.claim({
      owner,
      sites: Math.max(1, Math.floor(room / perSite)),
      perSite,
      leaseMs,
      ...(skip.size === 0 ? undefined : { skip }),
    })
    if (claims.length > 0) {
      this.#o.admit(claims, until)
      this.#wanted = true
      return
    }
    this.starved = skip.size > 0 ? 'site' : undefined
    await this.#arm()
  }

  async #arm(): Promise<void> {
    const { queue, clock } = this.#o
    const due = await queue.nextDue()
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    if (!this.#running) return
    const wait = due === undefined ? longestWait : due - clock.wall()
    this.#cancelTimer = clock.after(wait <= 0 ? shortestWait : Math.min(wait, longestWait), () => this.wake())
  }
}
