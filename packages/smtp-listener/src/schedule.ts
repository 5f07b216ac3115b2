import { authenticationRequired, badParameter, holdTooLong, priorityChanged, senderOk } from '@posthorn/reply'
import type { Schedule } from '@posthorn/contracts'
import type { Accept, Reject } from '@posthorn/reply'
import type { MailParams } from '@posthorn/smtp'
import type { Session } from './session.ts'

/** Wall time at which a held message may go; `undefined` when it is not held. */
const releaseOf = ({ hold }: MailParams, now: number): number | undefined => {
  if (hold === undefined) return undefined
  return 'until' in hold ? hold.until : now + hold.seconds * 1000
}

/** Why this message cannot be scheduled as MAIL asks. */
export const scheduleFault = ({ desk, user }: Session, params: MailParams): Reject | undefined => {
  // RFC 2852 §4.1.1: who wants it back at once wants nothing that can be done.
  if (params.deliverBy?.mode === 'return' && params.deliverBy.seconds <= 0) return badParameter
  const now = desk.clock.wall()
  const release = releaseOf(params, now)
  if (release === undefined) return undefined
  // To hold mail costs room: it is for users (RFC 4865 §3).
  if (user === undefined) return authenticationRequired
  return release > now + desk.limits.futureReleaseMs ? holdTooLong : undefined
}

/** Strangers may step back, and not forward (RFC 6710 §4.1). */
const allowedPriority = (asked: number | undefined, user: string | undefined): number =>
  user === undefined ? Math.min(asked ?? 0, 0) : (asked ?? 0)

/** What MAIL is answered: whoever asked for more than they get is told so (RFC 6710 §4.1). */
export const scheduledReply = ({ user }: Session, { priority }: MailParams): Accept =>
  priority === undefined || allowedPriority(priority, user) === priority ? senderOk : priorityChanged

/** When and before whom the message goes; `undefined`, as nearly always, when nothing was said of it. */
export const scheduleOf = (params: MailParams, user: string | undefined, now: number): Schedule | undefined => {
  const { deliverBy, hold } = params
  // In the queue smaller goes first.
  const priority = -allowedPriority(params.priority, user)
  if (hold === undefined && deliverBy?.mode !== 'return' && priority === 0) return undefined
  const notBefore = releaseOf(params, now)
  return {
    ...(notBefore === undefined ? {} : { notBefore }),
    ...(deliverBy?.mode === 'return' ? { expires: now + deliverBy.seconds * 1000 } : {}),
    ...(priority === 0 ? {} : { priority }),
  }
}
