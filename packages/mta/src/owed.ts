import type { Mailbox } from '@posthorn/address'
import type { Claim } from '@posthorn/contracts'
import { wantsReport } from '@posthorn/dsn'
import type { Action } from '@posthorn/dsn'
import { doubleBounce } from '@posthorn/intake'
import type { Lifetime } from './policy.ts'

/** The sender of one delivery: the recipient's own return path, where it has one, or the envelope's. Null: nobody. */
export const reportsTo = (claim: Claim): Mailbox | null =>
  claim.to.returnPath === undefined ? claim.envelope.returnPath : claim.to.returnPath

/** A report of ours on a message that somebody sent. One on such a report is the last. */
const isBounce = (claim: Claim): boolean => claim.envelope.origin === 'bounce' && !claim.tags.includes(doubleBounce)

/** Who would read a report on this; null when nobody would. */
export const readerOf = (action: Action, claim: Claim, life: Lifetime): Mailbox | null => {
  const sender = reportsTo(claim)
  if (sender !== null || action !== 'failed' || !isBounce(claim)) return sender
  return life.doubleBounces ?? null
}

/**
 * Whether somebody is owed a report of this (RFC 3461 §4.1, §5.2). The sender is never told of the fate of mail from the null path
 * (RFC 5321 §4.5.5): a bounce is never bounced. Our postmaster may be told of one that failed, once.
 */
export const isOwed = (action: Action, claim: Claim, life: Lifetime): boolean =>
  reportsTo(claim) === null ? readerOf(action, claim, life) !== null : wantsReport(claim.to.notify, action)

/** The recipient's mail comes from a list: what the author asked of it ended there (RFC 3461 §5.2.7.1). */
export const isFromList = ({ to }: Claim): boolean => to.returnPath !== undefined
