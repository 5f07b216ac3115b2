import type { Mailbox } from '@posthorn/address'
import type { DeliverBy, Notify } from '@posthorn/contracts'
import type { Body } from '@posthorn/message'

/** One recipient of one copy. */
export interface MailRecipient {
  readonly to: Mailbox
  readonly notify?: Notify
  /** `type;address`, xtext decoded (RFC 3461 §4.2). */
  readonly orcpt?: string
}

/** Wall times of the client's clock. */
export interface MailDeliverBy extends DeliverBy {
  /** The sender has been told that the time is over, so that the peer need not; otherwise it is told of one second at least. */
  readonly told?: boolean
}

/** One message for one peer. */
export interface Mail {
  /** For events. */
  readonly id?: string
  readonly returnPath: Mailbox | null
  readonly recipients: readonly MailRecipient[]
  readonly body: Body
  readonly smtputf8: boolean
  readonly eightBit: '7bit' | '8bitmime' | 'binarymime'
  /** xtext decoded (RFC 3461 §4.4). */
  readonly envid?: string
  readonly ret?: 'full' | 'hdrs'
  readonly requireTls: boolean
  /** From -9 to 9, greater goes first (RFC 6710 §4); 0 when absent. */
  readonly priority?: number
  /**
   * By when it is to be delivered (RFC 2852). In mode `return` the message fails with 5.4.7 where that cannot be had: the peer does not
   * offer DELIVERBY, or there is less time than it asks for. Over LMTP, which delivers, the time is the caller's to keep.
   */
  readonly deliverBy?: MailDeliverBy
  /** Asked before MAIL and before the final dot; when no, nothing is sent and the connection is broken off. */
  readonly stillOurs?: () => boolean
}
