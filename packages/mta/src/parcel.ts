import type { Claim } from '@posthorn/contracts'
import { reportsTo } from './owed.ts'

/**
 * Claims of one message towards one site that share a return path: they travel as one copy. Owned by one site while it
 * waits and by one attempt while it runs.
 */
export interface Parcel {
  readonly key: string
  claims: Claim[]
  /** Octets of the message that are held in memory. */
  readonly bytes: number
  /** Monotonic ms at which the leases end unless they are renewed. */
  until: number
  /** Some lease of it is no longer ours: a running attempt must not go on to the end. */
  lost: boolean
  /** Whether an attempt has begun. */
  begun: boolean
  /** Claims of which the end is not yet on stable storage. */
  open: number
}

/** What claims must share to be one parcel. */
export const parcelKey = (claim: Claim): string =>
  claim.to.returnPath === undefined ? claim.id : `${claim.id} ${reportsTo(claim)?.wire ?? ''}`

export const newParcel = (claim: Claim, key: string, until: number): Parcel => ({
  key,
  claims: [claim],
  // `bytes` itself is not read: a body may make them only when asked.
  bytes: 'bytes' in claim.body ? claim.body.size : 0,
  until,
  lost: false,
  begun: false,
  open: 1,
})

/** Keep the first `most` claims; the others are a parcel of their own. */
export const splitParcel = (parcel: Parcel, most: number): Parcel | undefined => {
  if (parcel.claims.length <= most) return undefined
  const rest = parcel.claims.splice(most)
  parcel.open = parcel.claims.length
  return { ...parcel, claims: rest, open: rest.length }
}
