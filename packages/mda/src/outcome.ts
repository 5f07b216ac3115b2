import type { Outcome } from '@posthorn/contracts'
import type { MaildirError, MaildirFault } from 'maildir-parse'

/** In the mailbox, on stable storage. */
export const inMailbox = (mailbox: string, file: string): Outcome => ({
  fate: 'delivered',
  phase: 'local',
  cause: `delivered to ${mailbox} as ${file}`,
  status: '2.1.5',
})

/** Try again later; RFC 3463's status says why. */
export const notNow = (cause: string, status: string): Outcome => ({ fate: 'deferred', phase: 'local', cause, status })

/** Nothing was tried: it does not count. */
export const notTried = (cause: string): Outcome => ({ ...notNow(cause, '4.3.0'), notTried: true })

/** RFC 3463 §3.5 (X.4.6) */
export const loop = (address: string): Outcome => ({
  fate: 'failed',
  phase: 'local',
  cause: `mail loop: already delivered to ${address}`,
  status: '5.4.6',
})

/** RFC 3463 §3.2 (X.1.1): no directory of ours can have that name. */
export const noSuchMailbox = (mailbox: string): Outcome => ({
  fate: 'failed',
  phase: 'local',
  cause: `${JSON.stringify(mailbox.slice(0, 100))} cannot be a mailbox`,
  status: '5.1.1',
})

/** RFC 3463 §3.3 (X.2.2) */
export const overQuota = (mailbox: string): Outcome => notNow(`mailbox ${mailbox} is over its quota`, '4.2.2')

/** RFC 3463 §3.3, §3.4 */
const statuses: Readonly<Record<MaildirFault, string>> = {
  full: '4.3.1',
  quota: '4.2.2',
  invalid: '4.3.5',
  gone: '4.3.5',
  aborted: '4.3.0',
  source: '4.3.0',
  io: '4.3.0',
}

/** What a disk's refusal means for the mail. Whatever it is, it is temporary: it says nothing of the recipient. */
export const diskRefused = (error: MaildirError): Outcome => notNow(error.message, statuses[error.fault])
