import type { Claim, Clock, Journal, Queue } from '@posthorn/contracts'
import type { Parcel } from './parcel.ts'
import type { Site } from './site.ts'

export interface LeaseKeeperOptions {
  readonly queue: Pick<Queue, 'renew'>
  readonly clock: Clock
  readonly journal: Journal
  readonly leaseMs: number
  /** All that is held, with the site it is for. */
  readonly parcels: ReadonlyMap<Parcel, Site>
  /** Claims of a parcel that waits are no longer ours. */
  readonly dropped: (parcel: Parcel, site: Site, claims: readonly Claim[]) => void
  /** Called at each turn. */
  readonly tick: (now: number) => void
}

/**
 * Renews what is held, with one timer for all of it, well before it lapses. What can no longer be renewed is not ours: it is
 * dropped if it waits, and told to stop before the final dot if it runs.
 */
export class LeaseKeeper {
  readonly #o: LeaseKeeperOptions
  readonly #every: number
  #cancel: (() => void) | undefined

  constructor(o: LeaseKeeperOptions) {
    this.#o = o
    this.#every = Math.max(1, Math.floor(o.leaseMs / 3))
  }

  start(): void {
    this.#cancel ??= this.#o.clock.after(this.#every, () => {
      this.#cancel = undefined
      this.#o.tick(this.#o.clock.monotonic())
      void this.#renew().finally(() => this.start())
    })
  }
  stop(): void {
    this.#cancel?.()
    // A turn that is under way finds the place taken and does not start another.
    this.#cancel = () => undefined
  }

  async #renew(): Promise<void> {
    const { clock, leaseMs, queue, journal } = this.#o
    const now = clock.monotonic()
    const due = [...this.#o.parcels].filter(([parcel]) => parcel.until - now < leaseMs - this.#every / 2)
    if (due.length === 0) return
    try {
      const kept = await queue.renew(
        due.flatMap(([parcel]) => parcel.claims),
        leaseMs,
      )
      const tokens = new Map(kept.map(lease => [lease.delivery, lease.token]))
      for (const [parcel, site] of due) this.#apply(parcel, site, tokens, now + leaseMs)
    } catch (error) {
      // The leases run on until their end; whoever asks `stillOurs` after it hears no.
      journal.event('error', { where: 'renew', cause: String(error) }, 'error')
    }
  }

  #apply(parcel: Parcel, site: Site, tokens: ReadonlyMap<number, number>, until: number): void {
    const gone = parcel.claims.filter(claim => tokens.get(claim.delivery) !== claim.token)
    if (parcel.begun) {
      if (gone.length > 0) parcel.lost = true
      else parcel.until = until
      return
    }
    parcel.until = until
    if (gone.length > 0) this.#o.dropped(parcel, site, gone)
  }
}
