import { needsSmtputf8 } from '@posthorn/address'
import type { Draft, Inject, Injection } from '@posthorn/contracts'
import { headerEnd, joinBytes, parseHeaders, receivedField } from '@posthorn/message'
import type { Headers } from '@posthorn/message'
import { announce, commitDraft, newMessage } from './commit.ts'
import { deliveriesOf } from './deliveries.ts'
import { distinct, finish } from './letter.ts'
import type { Letter } from './letter.ts'
import { LineCheck } from './line-check.ts'
import type { IntakeOptions } from './options.ts'

/** Octets, of a message from inside. */
export interface InjectLimits {
  readonly headers?: number
  readonly message?: number
}

interface Content {
  readonly headers: Headers
  readonly eightBit: boolean
  readonly eightBitHeaders: boolean
}

/** Take in a message chunk by chunk: its header block is kept, the rest goes to the draft at the draft's pace. */
class Writer {
  readonly #draft: Draft
  readonly #limits: Required<InjectLimits>
  readonly #lines = new LineCheck()
  /** The header block as far as it came, in one piece that grows by doubling: one byte a time must not cost squares. */
  #start = new Uint8Array(4096)
  #size = 0
  #headers: Headers | undefined
  #eightBitHeaders = false
  #total = 0

  constructor(draft: Draft, limits: Required<InjectLimits>) {
    this.#draft = draft
    this.#limits = limits
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#total += chunk.byteLength
    if (this.#total > this.#limits.message) throw new RangeError(`message is over ${this.#limits.message} octets`)
    this.#lines.push(chunk)
    if (this.#headers !== undefined) await this.#draft.write(chunk)
    else await this.#collect(chunk)
  }

  end(): Content {
    if (this.#lines.bare) throw new RangeError('message has a CR or LF that is not part of a CRLF')
    const headers = this.#headers ?? this.#take(this.#size)
    return { headers, eightBit: this.#lines.eightBit, eightBitHeaders: this.#eightBitHeaders }
  }

  async #collect(chunk: Uint8Array): Promise<void> {
    const from = this.#size
    this.#append(chunk)
    const end = headerEnd(this.#start.subarray(0, this.#size), from)
    if ((end === -1 ? this.#size : end) > this.#limits.headers)
      throw new RangeError(`header section is over ${this.#limits.headers} octets`)
    if (end === -1) return
    const rest = this.#start.slice(end, this.#size)
    this.#headers = this.#take(end)
    if (rest.byteLength > 0) await this.#draft.write(rest)
  }

  #append(chunk: Uint8Array): void {
    const needed = this.#size + chunk.byteLength
    if (needed > this.#start.byteLength) {
      const larger = new Uint8Array(Math.max(needed, this.#start.byteLength * 2))
      larger.set(this.#start.subarray(0, this.#size))
      this.#start = larger
    }
    this.#start.set(chunk, this.#size)
    this.#size = needed
  }

  #take(end: number): Headers {
    const block = joinBytes([this.#start.subarray(0, end), new Uint8Array(0)])
    this.#eightBitHeaders = block.some(byte => byte > 127)
    return parseHeaders(block)
  }
}

const letterOf = (injection: Injection, o: IntakeOptions, draft: Draft, content: Content): Omit<Letter, 'body'> => {
  const { origin, user, sender } = injection
  const recipients = distinct(injection.recipients.flatMap(recipient => deliveriesOf(recipient)))
  const paths = [sender, ...recipients.map(r => r.to)]
  return {
    id: draft.id,
    origin,
    user,
    sender,
    recipients,
    headers: content.headers,
    smtputf8: content.eightBitHeaders || paths.some(path => path !== null && needsSmtputf8(path)),
    trace: receivedField({ by: o.hostname, id: draft.id, date: o.clock.wall() }),
  }
}

const enqueue = async (
  injection: Injection,
  o: IntakeOptions,
  draft: Draft,
  limits: Required<InjectLimits>,
): Promise<void> => {
  const writer = new Writer(draft, limits)
  for await (const chunk of injection.bytes) await writer.write(chunk)
  const content = writer.end()
  const letter: Letter = { ...letterOf(injection, o, draft, content), body: await draft.end() }
  if (letter.recipients.length === 0) throw new RangeError('a message needs a recipient')
  const finished = await finish(letter, o)
  if ('failed' in finished) throw new Error(finished.failed)
  const message = newMessage(letter, finished, {
    envelope: { smtputf8: letter.smtputf8, body: content.eightBit ? '8bitmime' : '7bit', requireTls: false },
    facts: {},
  })
  await commitDraft(draft, message, o)
  announce(letter, { finished, message, about: {}, options: o })
}

/**
 * Put messages into the queue from inside, on the road that every other takes: `stamp`, `seal`, trace field, commit. The result
 * resolves to the id once the message is on stable storage. It rejects with StoreError; with RangeError on a message over its
 * limits (1 MiB of headers, 50 MiB in all, when absent), without recipients or with bare CR or LF; with Error when a plugin fails.
 */
export const createInject =
  (o: IntakeOptions & { readonly limits?: InjectLimits }): Inject =>
  async injection => {
    const limits = { headers: 1024 * 1024, message: 50 * 1024 * 1024, ...o.limits }
    const draft = o.queue.begin()
    try {
      await enqueue(injection, o, draft, limits)
    } catch (error) {
      await draft.abort()
      throw error
    }
    return draft.id
  }
