import { mailboxKey } from '@posthorn/address'
import type { AcceptedRecipient, ExpandedRecipient, Forwarded, Transaction } from '@posthorn/contracts'
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
  transaction(
    facts: Pick<Transaction, 'origin' | 'protocol'> & {
      readonly lmtp: boolean
      readonly now: number
      readonly forwarded: Forwarded | undefined
    },
  ): Transaction {
    const { size, body, envid, ret } = this.params
    const schedule = scheduleOf(this.params, this.user, facts.now)
    // oxlint-disable-next-line no-this-alias -- the signal is made only when somebody reads it
    const context = this
    return {
      session: this.session,
      service: this.service,
      origin: facts.origin,
      protocol: facts.protocol,
      client: { ip: this.ip, port: this.port, helo: this.helo, tls: this.tls, user: this.user },
      ...(facts.forwarded === undefined ? {} : { forwarded: facts.forwarded }),
      sender: this.sender,
      recipients: this.recipients.slice(),
      smtputf8: this.smtputf8,
      body: body ?? '7bit',
      ...(envid === undefined ? {} : { envid }),
      ...(ret === undefined ? {} : { ret }),
      requireTls: this.requireTls,
      answersEach: facts.lmtp || this.params.prdr === true,
      ...(size === undefined ? {} : { size }),
      ...(schedule === undefined ? {} : { schedule }),
      get signal() {
        return context.signal
      },
    }
  }
}
