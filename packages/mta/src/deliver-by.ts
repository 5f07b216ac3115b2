import type { Claim, DeliverBy, Outcome } from '@posthorn/contracts'
import { isFromList } from './owed.ts'

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

/** The wall time in ms from which on its sender is to be told that it is late (mode N); Infinity when nobody asked, or was told before. */
export const noticeOf = (claim: Claim): number => {
  const by = deliverByOf(claim)
  if (by?.mode !== 'notify' || by.at <= claim.arrived || (claim.warned ?? -Infinity) >= by.at) return Infinity
  return by.at
}

/**
 * Whether its sender is owed a word of this relay, whatever NOTIFY says but for NEVER: because of the trace, or because from here on
 * nobody looks at the time (RFC 2852 §4.1.4).
 */
export const tellsOfRelay = (claim: Claim, outcome: Outcome): boolean => {
  const by = deliverByOf(claim)
  if (by === undefined || claim.to.notify === 'never') return false
  return by.trace || (by.mode === 'notify' && outcome.deliverByTakenOver !== true)
}

/** What becomes of mail whose time was over before this attempt. */
export const tooLate: Outcome = {
  fate: 'failed',
  phase: 'local',
  cause: 'the time by which it was to be delivered is over',
  status: lateStatus,
}
