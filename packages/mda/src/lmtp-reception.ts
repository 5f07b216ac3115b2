import { constants } from 'node:os'
import type {
  Awaitable,
  Destination,
  Disposition,
  ExpandedRecipient,
  Job,
  NewRecipient,
  Outcome,
  QueueId,
  Reception,
  SiteKey,
  Transaction,
} from '@posthorn/contracts'
import { concatBody, receivedField, type Body, type Headers } from '@posthorn/message'
import { insufficientStorage, localError, policyFailure, type Reply } from '@posthorn/reply'
import type { LmtpIntakeOptions } from './lmtp-intake.ts'
import { replyFor } from './lmtp-reply.ts'
import { notNow } from './outcome.ts'
import { Spill } from './spill.ts'
import { withoutNotes } from './trace.ts'

const MEMORY = 256 * 1024
const DELIVER_MS = 5 * 60_000

/** One copy of the message: which of the transaction's recipients it is for, and where it goes. */
interface Copy {
  readonly index: number
  readonly site: SiteKey
  readonly returnPath: Job['returnPath']
  readonly to: ExpandedRecipient
}

const siteOf = (destination: Destination): SiteKey =>
  ('mailbox' in destination ? `local:${destination.mailbox}` : `${destination.transport}:${destination.arg}`) as SiteKey

/** Sorts by time; 64 bits of chance make it unique. */
const newId = ({ clock, random }: LmtpIntakeOptions): QueueId => {
  const chance = Array.from(random.bytes(8), byte => byte.toString(16).padStart(2, '0')).join('')
  return `${clock.wall().toString(36).padStart(9, '0')}${chance}` as QueueId
}

const isFull = (error: Error): boolean =>
  ('code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')) ||
  // Node has no name for the end of a share.
  ('errno' in error && error.errno === -constants.errno.EDQUOT)

/** A message on its way straight into mailboxes. */
export class LmtpReception implements Reception {
  readonly id: QueueId
  readonly #o: LmtpIntakeOptions
  readonly #transaction: Transaction
  readonly #spill: Spill

  constructor(o: LmtpIntakeOptions, transaction: Transaction) {
    this.#o = o
    this.#transaction = transaction
    this.id = newId(o)
    this.#spill = new Spill({ directory: o.spoolDir, name: `lmtp-${this.id}`, memory: o.memory ?? MEMORY })
  }

  write(chunk: Uint8Array): void | Promise<void> {
    return this.#spill.write(chunk)
  }

  end(): Awaitable<Body> {
    return this.#spill.end()
  }

  async commit(headers: Headers, disposition: Disposition): Promise<readonly Reply[]> {
    const { recipients } = this.#transaction
    try {
      const refusal = await this.#refusal(disposition)
      const replies = refusal === undefined ? await this.#deliver(headers, disposition) : recipients.map(() => refusal)
      this.#report(replies)
      return replies
    } catch (error) {
      this.#o.journal.event('error', { id: this.id, in: 'lmtp delivery', error: String(error) }, 'error')
      return recipients.map(() => localError)
    } finally {
      await this.#spill.close()
    }
  }

  abort(): void {
    this.#spill.close().catch((error: unknown) => {
      this.#o.journal.event('error', { id: this.id, in: 'lmtp abort', error: String(error) }, 'warn')
    })
  }

  /** Why the message can't be taken at all. */
  async #refusal(disposition: Disposition): Promise<Reply | undefined> {
    // There is no place to hold a message but a queue; the client's has to do.
    if (disposition.hold !== undefined) return policyFailure
    await this.#spill.end()
    const { failure } = this.#spill
    if (failure === undefined) return undefined
    this.#o.journal.event('queue.full', { id: this.id, error: failure.message }, 'error')
    return isFull(failure) ? insufficientStorage : localError
  }

  async #deliver(headers: Headers, disposition: Disposition): Promise<readonly Reply[]> {
    const body = concatBody(this.#head(headers), await this.#spill.end())
    const copies = this.#copies(disposition)
    const outcomes: Outcome[][] = this.#transaction.recipients.map(() => [])
    const deadline = this.#o.clock.deadline(this.#o.deliverMs ?? DELIVER_MS)
    try {
      const jobs = [...Map.groupBy(copies, copyKey).values()]
      await Promise.all(jobs.map(group => this.#send(group, body, outcomes, deadline.signal)))
    } finally {
      deadline.clear()
    }
    return outcomes.map((given, i) => disposition.refused?.get(i) ?? replyFor(given))
  }

  /** Our trace field and the client's header block (RFC 5321 §4.4). */
  #head(headers: Headers): Uint8Array {
    const { client, protocol, recipients } = this.#transaction
    const received = receivedField({
      helo: client.helo,
      ip: client.ip,
      by: this.#o.hostname,
      protocol,
      id: this.id,
      tls: client.tls,
      for: recipients.length === 1 ? recipients[0]?.to : undefined,
      date: this.#o.clock.wall(),
    })
    return Buffer.concat([received.raw, withoutNotes(headers)])
  }

  #copies(disposition: Disposition): readonly Copy[] {
    return this.#transaction.recipients.flatMap((recipient, index): Copy[] =>
      disposition.refused?.has(index) === true
        ? []
        : recipient.goesTo.map(to => ({
            index,
            site: siteOf(to.destination),
            returnPath: to.returnPath === undefined ? this.#transaction.sender : to.returnPath,
            to,
          })),
    )
  }

  /** Copies for one site and one return path are one job. */
  async #send(copies: readonly Copy[], body: Body, outcomes: Outcome[][], signal: AbortSignal): Promise<void> {
    const [first] = copies
    if (first === undefined) return
    const transport = this.#o.transports[first.site.slice(0, first.site.indexOf(':'))]
    const given = await transport?.deliver(this.#job(first, copies, body), signal)
    for (const [i, copy] of copies.entries()) {
      const outcome = given?.[i] ?? notNow(`nothing delivers to ${copy.site}`, '4.3.5')
      outcomes[copy.index]?.push(outcome)
      this.#tell(copy, outcome)
    }
  }

  #job(first: Copy, copies: readonly Copy[], body: Body): Job {
    const t = this.#transaction
    const at = first.site.indexOf(':')
    return {
      id: this.id,
      site: first.site,
      route: { via: 'transport', name: first.site.slice(0, at), arg: first.site.slice(at + 1) },
      envelope: {
        returnPath: t.sender,
        origin: t.origin,
        smtputf8: t.smtputf8,
        body: t.body,
        requireTls: t.requireTls,
      },
      returnPath: first.returnPath,
      recipients: copies.map(({ to: { to, notify }, site }): NewRecipient => ({
        to,
        site,
        ...(notify !== undefined && { notify }),
      })),
      body,
      arrived: this.#o.clock.wall(),
      stillOurs: () => true,
    }
  }

  #tell(copy: Copy, outcome: Outcome): void {
    const ok = outcome.fate !== 'deferred' && outcome.fate !== 'failed' && outcome.fate !== 'unknown'
    const fields = { id: this.id, rcpt: copy.to.to.wire, site: copy.site, cause: outcome.cause }
    if (ok) this.#o.journal.event('delivery.delivered', fields)
    else this.#o.journal.event(outcome.fate === 'failed' ? 'delivery.bounced' : 'delivery.deferred', fields, 'warn')
  }

  #report(replies: readonly Reply[]): void {
    const { session, service, sender } = this.#transaction
    const taken = replies.filter(reply => reply.class === 2).length
    this.#o.journal.event(taken === 0 ? 'message.rejected' : 'message.received', {
      id: this.id,
      session,
      service,
      sender: sender?.wire ?? '',
      recipients: replies.length,
      taken,
      size: this.#spill.size,
    })
  }
}

const copyKey = (copy: Copy): string => `${copy.site} <${copy.returnPath?.wire ?? ''}>`
