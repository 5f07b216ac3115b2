import type { Mailbox } from '@posthorn/address'
import type { Body } from '@posthorn/message'
import type { Envelope, NewRecipient, QueueId, SiteKey } from './queue.ts'
import type { Outcome } from './outcome.ts'

/** Where an attempt goes, as the `route` hook or the site key says. */
export type Route =
  | { readonly via: 'mx'; readonly domain: string }
  | {
      readonly via: 'smtp' | 'lmtp'
      readonly host: string
      readonly port: number
      /** Name of a credential in the configuration, never the secret. */
      readonly credentials?: string
      readonly tls?: 'never' | 'may' | 'encrypt' | 'verify'
      /** TLS from the first byte (RFC 8314). */
      readonly implicitTls?: boolean
    }
  | { readonly via: 'transport'; readonly name: string; readonly arg: string }

/** How connections to a next hop are to be used. */
interface Egress {
  /** The local address to send from. */
  readonly source?: string
  readonly messagesPerConnection?: number
  /** False: no BDAT, whatever is offered. */
  readonly chunking?: boolean
}

/** One copy of one message for one next hop. */
export interface Job {
  readonly id: QueueId
  readonly site: SiteKey
  readonly route: Route
  readonly envelope: Envelope
  readonly returnPath: Mailbox | null
  readonly recipients: readonly NewRecipient[]
  readonly body: Body
  readonly arrived: number
  /** Attempts before this one. */
  readonly tries?: number
  /** When the sender was told of a delay, wall time in ms; only of mail that has a time to be delivered by. */
  readonly warned?: number
  readonly tags?: readonly string[]
  /** Smaller goes first (MT-PRIORITY, RFC 6710, with its sign turned). */
  readonly priority?: number
  /** What the `egress` hook and the operator ask of the connection. */
  readonly egress?: Egress
  /** Whether the leases still hold, and it may still be delivered (DELIVERBY); asked before MAIL and before the final dot. */
  readonly stillOurs: () => boolean
}

/** Delivers a job; one outcome per recipient, in their order. Never rejects: an unknown failure is `deferred`. */
export interface Transport {
  deliver(job: Job, signal: AbortSignal): Promise<readonly Outcome[]>
  /** Several jobs of one site at once, when the transport can share work (one directory sync, one connection). */
  deliverAll?(jobs: readonly Job[], signal: AbortSignal): Promise<readonly (readonly Outcome[])[]>
  close?(): Promise<void>
}
