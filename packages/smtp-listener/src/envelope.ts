import { mailboxKey } from '@posthorn/address'
import type {
  AcceptedRecipient,
  DeliverBy,
  ExpandedRecipient,
  Forwarded,
  Schedule,
  Transaction,
} from '@posthorn/contracts'
import type { OnRcpt, Recipient } from '@posthorn/plugin'
import type { MailParams } from '@posthorn/smtp'
import type { Mailbox } from '@posthorn/address'
import { Noting } from '@posthorn/plugin'
import type { ChunkReader } from './chunk-reader.ts'
import type { Content } from './content.ts'
import { scheduleOf } from './schedule.ts'
import type { HelloContext } from './context.ts'

/**
 * One mail transaction as it grows: the context of `mail`, `rcpt`, `data`, `headers` and `message`. A new one is made for every
 * MAIL and kept only when that was accepted, so that nothing of a refused command is ever left over.
 */
export class Envelope extends Noting implements OnRcpt {
  readonly service: string
  readonly session: string
  readonly ip: string
  readonly port: number
  readonly helo: string
  readonly tls: OnRcpt['tls']
  readonly user: string | undefined
  readonly sender: Mailbox | null
  readonly params: MailParams
  readonly smtputf8: boolean
  readonly requireTls: boolean
  readonly hello: HelloContext
  /** Its time runs from MAIL. */
  deliverBy: DeliverBy | undefined
  /** As plugins see them, in the order of `recipients`. */
  readonly accepted: Recipient[] = []
  readonly recipients: AcceptedRecipient[] = []
  /** For each RCPT that was answered 250, the index of its recipient: one named twice is answered twice (RFC 2033 §4.2). */
  readonly answered: number[] = []
  /** RCPT commands that were refused. */
  refused = 0
  /** The message that is coming in by BDAT, from its first chunk on. */
  chunked: { readonly content: Content; readonly reader: ChunkReader } | undefined
  readonly #known = new Map<string, number>()

  constructor(hello: HelloContext, user: string | undefined, sender: Mailbox | null, params: MailParams) {
    super(hello)
    this.hello = hello
    this.service = hello.service
    this.session = hello.session
    this.ip = hello.ip
    this.port = hello.port
    this.helo = hello.helo
    this.tls = hello.tls
    this.user = user
    this.sender = sender
    this.params = params
    this.smtputf8 = params.smtputf8
    this.requireTls = params.requireTls
  }

  /** Whether this recipient was accepted before; if so, that is counted. */
  again(recipient: Recipient): boolean {
    if (this.#known.size === 0) return false
    const index = this.#known.get(mailboxKey(recipient.to))
    if (index !== undefined) this.answered.push(index)
    return index !== undefined
  }
  accept(recipient: Recipient, goesTo: readonly ExpandedRecipient[]): void {
    const { to, orcpt, notify } = recipient
    const index = this.recipients.length
    this.#known.set(mailboxKey(to), index)
    this.answered.push(index)
    this.accepted.push(recipient)
    this.recipients.push({
      to,
      goesTo,
      ...(orcpt === undefined ? {} : { orcpt }),
      ...(notify === undefined ? {} : { notify }),
    })
  }

  /** What the intake is told. The recipients are those of this moment. */
  transaction(facts: Facts): Transaction {
    return new Offered(this, facts)
  }
}

type Facts = Pick<Transaction, 'origin' | 'protocol'> & {
  readonly lmtp: boolean
  readonly now: number
  readonly forwarded: Forwarded | undefined
}

/** A class, since a getter in an object literal costs a shape of its own each time, which keeps all it leads to until a full collection. */
class Offered implements Transaction {
  readonly session: string
  readonly service: string
  readonly origin: Transaction['origin']
  readonly protocol: string
  readonly client: Transaction['client']
  readonly sender: Mailbox | null
  readonly recipients: readonly AcceptedRecipient[]
  readonly smtputf8: boolean
  readonly body: Transaction['body']
  readonly requireTls: boolean
  readonly answersEach: boolean
  declare readonly forwarded?: Forwarded
  declare readonly envid?: string
  declare readonly ret?: 'full' | 'hdrs'
  declare readonly size?: number
  declare readonly schedule?: Schedule
  readonly #envelope: Envelope

  constructor(envelope: Envelope, { origin, protocol, lmtp, now, forwarded }: Facts) {
    const { size, body, envid, ret, prdr } = envelope.params
    const { ip, port, helo, tls, user } = envelope
    const schedule = scheduleOf(envelope, now)
    this.session = envelope.session
    this.service = envelope.service
    this.origin = origin
    this.protocol = protocol
    this.client = { ip, port, helo, tls, user }
    this.sender = envelope.sender
    this.recipients = envelope.recipients.slice()
    this.smtputf8 = envelope.smtputf8
    this.body = body ?? '7bit'
    this.requireTls = envelope.requireTls
    this.answersEach = lmtp || prdr === true
    if (forwarded !== undefined) this.forwarded = forwarded
    if (envid !== undefined) this.envid = envid
    if (ret !== undefined) this.ret = ret
    if (size !== undefined) this.size = size
    if (schedule !== undefined) this.schedule = schedule
    this.#envelope = envelope
  }
  /** Made only when somebody reads it. */
  get signal(): AbortSignal {
    return this.#envelope.signal
  }
}
