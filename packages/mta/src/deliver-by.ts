import type { Claim, DeliverBy, Outcome } from '@posthorn/contracts'
import { wantsReport } from '@posthorn/dsn'
import { isFromList, reportsTo } from './owed.ts'

/** Deliver-by time is over, for good (RFC 2852 §4.1, RFC 3463 §3.5). */
export const lateStatus = '5.4.7'

/** By when a delivery is to be made. To be taken by a list was delivery: its members have all the time there is. */
export const deliverByOf = (claim: Claim): DeliverBy | undefined =>
  claim.envelope.deliverBy === undefined || isFromList(claim) ? undefined : claim.envelope.deliverBy

/** The wall time in ms from which on it may not be delivered any more (mode R); Infinity when it always may. */
export const deadlineOf = (claim: Claim): number => {
  const by = deliverByOf(claim)
  return by?.mode === 'return' ? by.at : Infinity
}

/** The wall time in ms from which on its sender is to be told that it is late (mode N); Infinity when nobody wants to hear of it, or has heard. */
export const noticeOf = (claim: Claim): number => {
  const by = deliverByOf(claim)
  if (by?.mode !== 'notify' || by.at <= claim.arrived || (claim.warned ?? -Infinity) >= by.at) return Infinity
  return reportsTo(claim) !== null && wantsReport(claim.to.notify, 'delayed') ? by.at : Infinity
}

/** An attempt at about its time has more to say than the time alone. Later on the sender hears first: the attempt may well succeed. */
const soon = 60_000

/** Whether the time counts before anything is tried: it is over in mode R, or the sender has yet to hear of it in mode N. */
export const isLate = (claims: readonly Claim[], now: number): boolean =>
  claims.some(claim => now >= deadlineOf(claim) || now >= noticeOf(claim) + soon)

/**
 * Whether its sender is owed a word of this relay, whatever NOTIFY says but for NEVER: because of the trace, or because from here on
 * nobody looks at the time (RFC 2852 §4.1.4).
 */
export const tellsOfRelay = (claim: Claim, outcome: Outcome): boolean => {
  const by = deliverByOf(claim)
  if (by === undefined || claim.to.notify === 'never') return false
  return by.trace || (by.mode === 'notify' && outcome.deliverByTakenOver !== true)
}

/** Of mail whose time was over before this attempt. */
export const tooLate: Outcome = {
  fate: 'failed',
  phase: 'local',
  cause: 'the time by which it was to be delivered is over',
  status: lateStatus,
}
