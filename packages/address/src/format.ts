import { isAscii } from './octets.ts'
import { mailboxAt } from './parse.ts'
import type { Mailbox } from './mailbox.ts'

/** The address as it came and as it is sent on; empty for the null path. */
export const formatMailbox = (mailbox: Mailbox | null): string => (mailbox === null ? '' : mailbox.wire)

/** The same in angle brackets; `<>` for the null path. */
export const formatPath = (mailbox: Mailbox | null): string => (mailbox === null ? '<>' : `<${mailbox.wire}>`)

/** Whether the address as written can only be sent to a server that offers SMTPUTF8 (RFC 6531 §3.2). */
export const needsSmtputf8 = (mailbox: Mailbox): boolean => !isAscii(mailbox.wire)

/**
 * The same mailbox written in ASCII, its domain in A-labels; `undefined` when the local part is not ASCII. What may be sent to a
 * server without SMTPUTF8, where only the domain was international.
 */
export const asciiMailbox = (mailbox: Mailbox): Mailbox | undefined => {
  if (!needsSmtputf8(mailbox)) return mailbox
  return isAscii(mailbox.local) ? mailboxAt(mailbox.local, mailbox.domain) : undefined
}
