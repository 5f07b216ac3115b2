import type { Mailbox } from './mailbox.ts'
import { isAscii } from './octets.ts'

/** Whether this is the postmaster of its domain, in any case (RFC 5321 §4.5.1). */
export const isPostmaster = (mailbox: Mailbox): boolean =>
  mailbox.local.length === 10 && mailbox.local.toLowerCase() === 'postmaster'

/** The text in NFC, in which two spellings of one text are one (RFC 6530 §10.1). Costs little where it is ASCII. */
export const nfc = (text: string): string => (isAscii(text) ? text : text.normalize('NFC'))

/**
 * A string that is equal for two mailboxes exactly when `sameMailbox` holds. Local parts keep their case (RFC 5321 §2.4) but for
 * `postmaster`; beyond ASCII they are compared in NFC, since two spellings of one text are one text (RFC 6530 §10.1).
 */
export const mailboxKey = (mailbox: Mailbox): string =>
  `${isPostmaster(mailbox) ? 'postmaster' : nfc(mailbox.local)}@${mailbox.domain}`

/** Whether two addresses name one mailbox, as far as anyone but its host can tell. */
export const sameMailbox = (a: Mailbox, b: Mailbox): boolean =>
  a === b || (a.domain === b.domain && (a.local === b.local || mailboxKey(a) === mailboxKey(b)))
