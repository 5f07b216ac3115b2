import type { Awaitable, Disposition, Draft, NewRecipient, Reception, Schedule, Transaction } from '@posthorn/contracts'
import { bodyOf, receivedField } from '@posthorn/message'
import type { Body, Headers } from '@posthorn/message'
import { andThen } from '@posthorn/plugin'
import { policyFailure, queuedAs } from '@posthorn/reply'
import type { Defer, Reply } from '@posthorn/reply'
import { guarded } from './guarded.ts'
import { announce, commitDraft, newMessage } from './commit.ts'
import type { Terms } from './commit.ts'
import { deliveriesOf } from './deliveries.ts'
import { distinct, finish } from './letter.ts'
import type { Finished, Letter } from './letter.ts'
import { storeFailure } from './options.ts'
import type { IntakeOptions } from './options.ts'
import { reportRefused } from './refused.ts'
import type { Refused } from './refused.ts'

/** A message that waits for its release has its life before it, not behind it. */
const LIFE_AFTER_RELEASE = 5 * 86_400_000
const expiryOf = ({ notBefore }: Schedule): number | undefined =>
  notBefore === undefined ? undefined : notBefore + LIFE_AFTER_RELEASE

const noBody = bodyOf(new Uint8Array(0))

/** A message that a session brings: its body goes to a draft of the queue, its head follows with the commit. */
export class QueueReception implements Reception {
  readonly id: string
  readonly #transaction: Transaction
  readonly #draft: Draft
  readonly #o: IntakeOptions
  #failure: Defer | undefined
  #body: Awaitable<Body> | undefined

  constructor(transaction: Transaction, draft: Draft, o: IntakeOptions) {
    this.#transaction = transaction
    this.#draft = draft
    this.#o = o
    this.id = draft.id
  }

  write(chunk: Uint8Array): Awaitable<void> {
    // The client sends on whatever happened to the disk; it is told at the end.
    if (this.#failure !== undefined) return undefined
    return guarded(
      () => this.#draft.write(chunk),
      error => this.#fail('write', error),
    )
  }

  end(): Awaitable<Body> {
    this.#body ??= guarded(
      () => (this.#failure === undefined ? this.#draft.end() : noBody),
      error => {
        this.#fail('end', error)
        return noBody
      },
    )
    return this.#body
  }

  commit(headers: Headers, disposition: Disposition): Awaitable<Reply | readonly Reply[]> {
    const replied = guarded(
      () => andThen(this.end(), body => this.#commit(headers, body, disposition)),
      error => {
        this.#fail('commit', error)
        return this.#giveUp()
      },
    )
    return andThen(replied, reply => this.#spread(reply, disposition))
  }

  abort(): void {
    this.#draft.abort().catch((error: unknown) => this.#fail('abort', error))
  }

  #fail(where: string, error: unknown): void {
    this.#failure ??= storeFailure(this.#o.journal, `intake ${where}`, error)
  }

  #giveUp(reply: Reply<4 | 5> = this.#failure ?? policyFailure): Reply<4 | 5> {
    this.abort()
    return reply
  }

  #spread(reply: Reply, { refused }: Disposition): Reply | readonly Reply[] {
    if (!this.#transaction.answersEach) return reply
    return this.#transaction.recipients.map((_, i) => refused?.get(i) ?? reply)
  }

  #commit(headers: Headers, body: Body, disposition: Disposition): Awaitable<Reply> {
    if (this.#failure !== undefined) return this.#giveUp()
    const letter = this.#letter(headers, body, disposition)
    if (letter.recipients.length === 0) return this.#giveUp(disposition.refused?.values().next().value)
    return andThen(finish(letter, this.#o), finished => {
      if ('failed' in finished) {
        this.#o.journal.event('policy.error', { id: letter.id, why: finished.failed }, 'error')
        return this.#giveUp(policyFailure)
      }
      return this.#enqueue(letter, finished, disposition)
    })
  }

  async #enqueue(letter: Letter, finished: Finished, disposition: Disposition): Promise<Reply> {
    const { client, session, forwarded } = this.#transaction
    const options = this.#o
    const refused = this.#refused(disposition)
    if (refused.length > 0 && !this.#transaction.answersEach)
      await reportRefused(letter, finished, { transaction: this.#transaction, refused, options })
    const message = newMessage(letter, this.#tagged(finished, disposition), this.#terms(disposition))
    await commitDraft(this.#draft, message, options)
    announce(letter, { finished, message, about: { session, ip: client.ip, forwarded }, options })
    return queuedAs(letter.id)
  }

  #refused({ refused }: Disposition): readonly Refused[] {
    return this.#transaction.recipients.flatMap((recipient, i) => {
      const reply = refused?.get(i)
      return reply === undefined ? [] : [{ recipient, reply }]
    })
  }

  #tagged(finished: Finished, { tags }: Disposition): Finished {
    return tags === undefined ? finished : { ...finished, tags: [...new Set([...tags, ...finished.tags])] }
  }

  #letter(headers: Headers, body: Body, { refused }: Disposition): Letter {
    const t = this.#transaction
    const recipients: NewRecipient[] = []
    for (const [i, recipient] of t.recipients.entries()) {
      if (refused?.has(i) === true) continue
      recipients.push(...deliveriesOf(recipient, t.schedule?.notBefore))
    }
    const { id } = this.#draft
    return {
      id,
      origin: t.origin,
      user: t.client.user,
      sender: t.sender,
      envid: t.envid,
      recipients: distinct(recipients),
      headers,
      body,
      smtputf8: t.smtputf8,
      trace: receivedField({
        helo: t.client.helo,
        ip: t.client.ip,
        by: this.#o.hostname,
        protocol: t.protocol,
        id,
        tls: t.client.tls,
        for: t.recipients.length === 1 ? t.recipients[0]?.to : undefined,
        date: this.#o.clock.wall(),
      }),
      signals: t,
    }
  }

  #terms({ hold, verdicts }: Disposition): Terms {
    const { session, service, protocol, client, envid, ret, smtputf8, body, requireTls, schedule } = this.#transaction
    const { tls } = client
    const expires = schedule && expiryOf(schedule)
    return {
      envelope: {
        smtputf8,
        body,
        requireTls,
        ...(envid !== undefined && { envid }),
        ...(ret !== undefined && { ret }),
        ...(schedule?.deliverBy !== undefined && { deliverBy: schedule.deliverBy }),
      },
      facts: {
        session,
        service,
        protocol,
        client: { ip: client.ip, port: client.port, helo: client.helo },
        tls: tls && { version: tls.version, cipher: tls.cipher },
        verdicts,
      },
      ...(hold !== undefined && { held: hold }),
      ...(expires !== undefined && { expires }),
      ...(schedule?.priority !== undefined && { priority: schedule.priority }),
    }
  }
}
