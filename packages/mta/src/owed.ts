import type { Mailbox } from '@posthorn/address'
import type { Claim } from '@posthorn/contracts'
import { wantsReport } from '@posthorn/dsn'
import type { Action } from '@posthorn/dsn'

/** Whom a report goes to: the recipient's own return path, where it has one, or the envelope's. Null: nobody. */
export const reportsTo = (claim: Claim): Mailbox | null =>
  claim.to.returnPath === undefined ? claim.envelope.returnPath : claim.to.returnPath

/**
 * Whether the sender is owed a report of this (RFC 3461 §4.1, §5.2). Nobody is told of the fate of mail from the null
 * path (RFC 5321 §4.5.5): never bounce a bounce.
 */
export const isOwed = (action: Action, claim: Claim): boolean =>
  reportsTo(claim) !== null && wantsReport(claim.to.notify, action)
