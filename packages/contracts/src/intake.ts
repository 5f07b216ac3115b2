import type { Mailbox } from '@posthorn/address'
import type { Reply } from '@posthorn/reply'
import type { Body, Headers } from '@posthorn/message'
import type { Awaitable } from './keyvalue.ts'
import type { Claim, DeliverBy, Notify, Origin, Owner, QueueId, SiteKey } from './queue.ts'
import type { TlsFacts } from './network.ts'

/** Where a recipient's mail goes, as the `resolve` hook answered, expansions already done. */
export type Destination = { readonly mailbox: string } | { readonly transport: string; readonly arg: string }

/** A recipient that was answered 250, or was named from inside; with what its sender wants to hear of it (RFC 3461 §4). */
export interface AcceptedRecipient {
  /** As the client named it. */
  readonly to: Mailbox
  readonly orcpt?: string
  readonly notify?: Notify
  /** Who hears of it in place of the message's sender. Named from inside only, and no list: what was asked goes on to where it leads. */
  readonly returnPath?: Mailbox | null
  /** One, or several after an alias; each with the address it now has. */
  readonly goesTo: readonly ExpandedRecipient[]
}
export interface ExpandedRecipient {
  readonly to: Mailbox
  /** Of a list: what was asked of the list is no business of its members. */
  readonly returnPath?: Mailbox | null
  readonly notify?: Notify
  readonly destination: Destination
}

/** What the session knows of the client when a message comes in. */
export interface Client {
  readonly ip: string
  readonly port: number
  readonly helo: string
  readonly tls: TlsFacts | undefined
  readonly user: string | undefined
}

/** Where a message came from before the client that brings it, as a trusted client says by XFORWARD: for events only. */
export type Forwarded = {
  readonly name?: string
  readonly address?: string
  readonly port?: number
  readonly protocol?: string
  readonly helo?: string
  /** What the message is called there. */
  readonly ident?: string
  readonly source?: 'local' | 'remote'
}

/** A verdict of the plugin chain, kept with the message. */
export interface Verdict {
  readonly plugin: string
  readonly hook: string
  /** `pass`, `permit`, a reply such as `550 5.7.1`, `hold`, `discard`, an error's kind. */
  readonly verdict: string
  readonly ms?: number
}

/** One mail transaction at the moment its content may come. */
export interface Transaction {
  readonly session: string
  readonly service: string
  readonly origin: Origin
  /** RFC 3848: SMTP, ESMTP, ESMTPS, ESMTPSA, LMTP, UTF8SMTPSA, … */
  readonly protocol: string
  readonly client: Client
  readonly forwarded?: Forwarded
  readonly sender: Mailbox | null
  readonly recipients: readonly AcceptedRecipient[]
  readonly smtputf8: boolean
  readonly body: '7bit' | '8bitmime' | 'binarymime'
  readonly envid?: string
  readonly ret?: 'full' | 'hdrs'
  readonly requireTls: boolean
  /** Each recipient is answered on its own: in LMTP, or because the client asked for it (PRDR). No report is owed for those refused. */
  readonly answersEach: boolean
  /** Octets, from SIZE. */
  readonly size?: number
  readonly schedule?: Schedule
  readonly signal: AbortSignal
}

/** When and before whom a message goes, where its sender said so. */
export interface Schedule {
  /** Wall time in ms (FUTURERELEASE, RFC 4865). */
  readonly notBefore?: number
  readonly deliverBy?: DeliverBy
  /** Smaller goes first; never 0 (MT-PRIORITY, RFC 6710, with its sign turned). */
  readonly priority?: number
}

/** What the `message` hook decided, beyond refusing: the listener answers a refusal itself. */
export interface Disposition {
  readonly hold?: string
  /** Recipients to leave out, by index (answered one by one where the transaction `answersEach`; reported to the sender otherwise). */
  readonly refused?: ReadonlyMap<number, Reply<4 | 5>>
  readonly tags?: readonly string[]
  readonly verdicts: readonly Verdict[]
}

/** Takes over responsibility for messages: the queue behind MX and submission, the Maildirs behind LMTP. */
export interface Intake {
  /** Called before 354. A Reply instead says why not (452 when the store is full). Synchronous. */
  begin(transaction: Transaction): Reception | Reply<4 | 5>
}

/** A message on its way in. Exactly one of `commit` or `abort` is called. */
export interface Reception {
  /** The queue id, when there is one. */
  readonly id: string
  /** What follows the header block and its empty line. A promise means: wait. */
  write(chunk: Uint8Array): void | Promise<void>
  /** The content after the header block, readable until commit. Never rejects: a store that failed says so at `commit`. */
  end(): Awaitable<Body>
  /** One reply, or one per recipient in their order where the transaction `answersEach` (RFC 2033 §4.2). Never rejects. 250 only after stable storage. */
  commit(headers: Headers, disposition: Disposition): Awaitable<Reply | readonly Reply[]>
  abort(): void
}

/** Who takes fresh mail that was committed already leased: the dispatcher. */
export interface Handoff {
  readonly owner: Owner
  readonly leaseMs: number
  /** Whether it has room for these sites now; when not, the message is committed unleased and claimed later. */
  wants(sites: readonly SiteKey[]): boolean
  take(claims: readonly Claim[]): void
}

/** Put a message into the queue from inside: reports, lists, the API. Runs `stamp` and `seal` as for any other. */
export interface Injection {
  readonly origin: Origin
  readonly user?: string
  readonly sender: Mailbox | null
  readonly recipients: readonly AcceptedRecipient[]
  readonly bytes: AsyncIterable<Uint8Array>
}
export type Inject = (message: Injection) => Promise<QueueId>
