import type { Mailbox } from '@posthorn/address'
import type { SenderRights } from '@posthorn/contracts'
import type { Headers } from '@posthorn/message'
import { definePlugin, pass } from '@posthorn/plugin'
import type { Pass, Plugin, Stop } from '@posthorn/plugin'
import { authenticationRequired, fromNotYours, oneFromRequired, senderNotYours } from '@posthorn/reply'
import { addressesOf } from './from.ts'

export interface SenderRightsOptions {
  /** Whether From and Sender must be the user's too, not the reverse-path alone; true when absent. */
  readonly checkFrom?: boolean
  /**
   * Whether the null reverse-path is allowed; true when absent. Read receipts are sent with it (RFC 8098 §3), and it claims to be
   * nobody; From is checked all the same.
   */
  readonly nullSender?: boolean
}

/** Exactly one From (RFC 5322 §3.6), and every address in From and Sender the user's own. */
const checkHeaders = (headers: Headers, isTheirs: (address: Mailbox) => boolean): Pass | Stop => {
  const [from, second] = headers.all('from')
  const authors = from === undefined || second !== undefined ? undefined : addressesOf(from)
  if (authors === undefined) return oneFromRequired
  const senders = headers.all('sender').map(addressesOf)
  if (!authors.every(isTheirs)) return fromNotYours
  return senders.every(sender => sender?.every(isTheirs) === true) ? pass : fromNotYours
}

/** A user writes under their own addresses only (RFC 6409 §6.1): 553 5.7.1 at MAIL, 550 5.7.1 for the header. */
export const senderRights = (rights: SenderRights, o: SenderRightsOptions = {}): Plugin =>
  definePlugin({
    name: 'sender-rights',
    after: ['auth-required'],
    setup: () => ({
      mail: (sender, { user }) => {
        if (user === undefined) return authenticationRequired
        if (sender === null) return o.nullSender === false ? senderNotYours : pass
        return rights.maySendAs(user, sender) ? pass : senderNotYours
      },
      ...(o.checkFrom !== false && {
        headers: (headers: Headers, { user }: { readonly user: string | undefined }) =>
          user === undefined
            ? authenticationRequired
            : checkHeaders(headers, address => rights.maySendAs(user, address)),
      }),
    }),
  })
