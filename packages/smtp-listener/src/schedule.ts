import {
  authenticationRequired,
  badParameter,
  deliverByTooSoon,
  holdTooLong,
  priorityChanged,
  senderOk,
} from '@posthorn/reply'
import type { DeliverBy, Schedule } from '@posthorn/contracts'
import type { Accept, Reject } from '@posthorn/reply'
import type { MailParams } from '@posthorn/smtp'
import type { Envelope } from './envelope.ts'
import type { Session } from './session.ts'

/** Wall time at which a held message may go; `undefined` when it is not held. */
const releaseOf = ({ hold }: MailParams, now: number): number | undefined => {
  if (hold === undefined) return undefined
  return 'until' in hold ? hold.until : now + hold.seconds * 1000
}

/** By when the message is to be delivered: the time runs from MAIL (RFC 2852 §4). */
export const deliverByOf = ({ deliverBy }: MailParams, now: number): DeliverBy | undefined =>
  deliverBy && { at: now + deliverBy.seconds * 1000, mode: deliverBy.mode, trace: deliverBy.trace }

/** Why a message cannot be returned unless it is delivered in this time. Only mode R has to be kept to (RFC 2852 §3). */
const deliverByFault = ({ desk: { service } }: Session, { deliverBy }: MailParams): Reject | undefined => {
  if (deliverBy?.mode !== 'return') return undefined
  // RFC 2852 §4: who wants it back at once wants nothing that can be done.
  if (deliverBy.seconds <= 0) return badParameter
  return deliverBy.seconds * 1000 < (service.deliverBy?.minimumMs ?? 0) ? deliverByTooSoon : undefined
}

/** Why this message cannot be scheduled as MAIL asks. */
export const scheduleFault = (session: Session, params: MailParams): Reject | undefined => {
  const fault = deliverByFault(session, params)
  if (fault !== undefined || params.hold === undefined) return fault
  const { desk, user } = session
  const now = desk.clock.wall()
  // To hold mail costs room: it is for users (RFC 4865 §3).
  if (user === undefined) return authenticationRequired
  const release = releaseOf(params, now) ?? now
  if (release > now + desk.limits.futureReleaseMs) return holdTooLong
  // To be back before it may go is not to go.
  const by = deliverByOf(params, now)
  return by?.mode === 'return' && by.at <= release ? badParameter : undefined
}

/** Strangers may step back, and not forward (RFC 6710 §4.1). */
const allowedPriority = (asked: number | undefined, user: string | undefined): number =>
  user === undefined ? Math.min(asked ?? 0, 0) : (asked ?? 0)

/** What MAIL is answered: whoever asked for more than they get is told so (RFC 6710 §4.1). */
export const scheduledReply = ({ user }: Session, { priority }: MailParams): Accept =>
  priority === undefined || allowedPriority(priority, user) === priority ? senderOk : priorityChanged

/** When and before whom the message goes, and by when; `undefined`, as nearly always, when nothing was said of it. */
export const scheduleOf = (
  { params, user, deliverBy }: Pick<Envelope, 'params' | 'user' | 'deliverBy'>,
  now: number,
): Schedule | undefined => {
  // In the queue smaller goes first.
  const priority = -allowedPriority(params.priority, user)
  if (params.hold === undefined && deliverBy === undefined && priority === 0) return undefined
  const notBefore = releaseOf(params, now)
  return {
    ...(notBefore === undefined ? {} : { notBefore }),
    ...(deliverBy === undefined ? {} : { deliverBy }),
    ...(priority === 0 ? {} : { priority }),
  }
}
