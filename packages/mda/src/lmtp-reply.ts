import type { Outcome } from '@posthorn/contracts'
import {
  delivered,
  insufficientStorage,
  localError,
  mailboxFull,
  noSuchMailbox,
  routingLoop,
  type Reply,
} from '@posthorn/reply'

const refusals: Readonly<Record<string, Reply<4 | 5>>> = {
  '4.2.2': mailboxFull,
  '4.3.1': insufficientStorage,
  '5.1.1': noSuchMailbox,
  '5.4.6': routingLoop,
}

/** The reply that tells one outcome; what has no reply of its own is temporary. */
const replyTo = (outcome: Outcome): Reply =>
  outcome.fate === 'delivered' || outcome.fate === 'relayed' || outcome.fate === 'expanded'
    ? delivered
    : (refusals[outcome.status ?? ''] ?? localError)

/**
 * The reply for a recipient that came to several places. A temporary refusal wins, since the client will come again, to all of them;
 * then a final one; 250 only when every one took it (RFC 2033 §4.2).
 */
export const replyFor = (outcomes: readonly Outcome[]): Reply => {
  const replies = outcomes.map(replyTo)
  return replies.find(r => r.class === 4) ?? replies.find(r => r.class === 5) ?? replies[0] ?? localError
}
