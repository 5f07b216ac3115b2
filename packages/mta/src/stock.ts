import type { Claim } from '@posthorn/contracts'
import type { Parcel } from './parcel.ts'
import type { Site } from './site.ts'

/** All that the dispatcher holds leases of, and how much that is. */
export class Stock {
  readonly parcels: Map<Parcel, Site> = new Map()
  /** Claims held. */
  claims = 0
  /** Octets of their messages in memory. */
  bytes = 0

  /** A claim has come; it waits with its site. */
  add(site: Site, claim: Claim, until: number): void {
    const fresh = site.add(claim, until)
    this.claims++
    if (fresh !== undefined) this.keep(fresh, site)
  }
  /** A parcel came to be, here or by splitting another. */
  keep(parcel: Parcel, site: Site): void {
    this.parcels.set(parcel, site)
    this.bytes += parcel.bytes
  }
  /** The end of one of its claims is on stable storage, or no longer ours to write. */
  close(parcel: Parcel): void {
    this.claims--
    if (--parcel.open > 0 || !this.parcels.delete(parcel)) return
    this.bytes -= parcel.bytes
  }
  /** Claims of a parcel that waits are no longer ours. */
  drop(parcel: Parcel, site: Site, gone: readonly Claim[]): void {
    if (site.waiting.get(parcel.key) !== parcel) return
    const lost = new Set(gone)
    site.keepOnly(
      parcel,
      parcel.claims.filter(claim => !lost.has(claim)),
    )
    for (let i = 0; i < gone.length; i++) this.close(parcel)
  }
}
