import {
  bareNewline,
  chunkReceived,
  delivered,
  encodeReply,
  headerTooBig,
  isReply,
  localError,
  malformedMessage,
  queuedAs,
  recipientsFollow,
  tooBig,
} from '@posthorn/reply'
import { parseHeaders } from '@posthorn/message'
import { andThen, isPending, isStop, stopReply } from '@posthorn/plugin'
import type { Body, Headers } from '@posthorn/message'
import type { Awaitable, Disposition, Reception, Verdict } from '@posthorn/contracts'
import type { HookOut, Stop } from '@posthorn/plugin'
import type { Reply } from '@posthorn/reply'
import { HeaderCollector } from './header-collector.ts'
import { faultOf } from './line-check.ts'
import type { ChunkReader } from './chunk-reader.ts'
import type { ContentFault, ContentReader } from './content-reader.ts'
import type { Envelope } from './envelope.ts'
import type { Input } from './input.ts'
import type { Session } from './session.ts'
import type { Said, Stage } from './stage.ts'

type Refusal = Reply<4 | 5>

/** Where content comes from and where it goes. */
export interface ContentRoad {
  readonly reader: ContentReader
  readonly reception: Reception
}
const FIRST_MINUTE = 60_000

/**
 * A message from its first octet to the reply. Whatever goes wrong on the way, it is read to its end, since only there the client
 * listens again; nothing of it is kept then.
 */
export class Content implements Stage {
  readonly #session: Session
  readonly #envelope: Envelope
  readonly #reception: Reception
  readonly #reader: ContentReader
  readonly #head = new HeaderCollector()
  readonly #began: number
  /** How much of the time since was ours. */
  #storing = 0
  #headers: Headers | undefined
  #refusal: Refusal | undefined
  /** Of the plugin that refused. */
  #by: Verdict | undefined
  /** The reception was told how the message ends: neither commit nor abort may follow. */
  #settled = false

  constructor(session: Session, envelope: Envelope, { reader, reception }: ContentRoad) {
    this.#session = session
    this.#envelope = envelope
    this.#reader = reader
    this.#reception = reception
    this.#began = session.desk.clock.monotonic()
  }

  due(now: number): number {
    const { limits, dataMs } = this.#session.desk
    return Math.min(now + dataMs, this.#began + limits.messageMs)
  }
  abort(): void {
    this.#refusal ??= localError
    if (this.#settled) return
    this.#settled = true
    this.#reception.abort()
  }

  read(input: Input): Awaitable<Said> | undefined {
    const chunk = input.chunk
    if (chunk === undefined) return undefined
    const end = this.#reader.push(chunk, input.at)
    input.advance(end === -1 ? chunk.length : end)
    if (end === -1 && this.#isTooSlow()) return this.#session.tooSlow()
    return this.#taken(end !== -1)
  }
  /** The next chunk of BDAT; `reader` is ours. One that is too big is known to be before it comes, and is read all the same. */
  chunk(reader: ChunkReader, size: number, last: boolean): Awaitable<Said> {
    reader.expect(size, last)
    this.#session.enter(this)
    if (reader.size + size > this.#session.desk.limits.messageBytes) this.#refuse(tooBig)
    if (size > 0) return ''
    reader.push(nothing, 0)
    return this.#taken(true)
  }
  #taken(ended: boolean): Awaitable<Said> {
    try {
      const pending = this.#store(this.#reader.content)
      const stored = isPending(pending) ? this.#timed(pending) : pending
      const said = isPending(stored) || ended ? andThen(stored, () => (ended ? this.#end() : '')) : ''
      return isPending(said) ? said.catch((error: unknown) => this.#broken(error, ended)) : said
    } catch (error) {
      return this.#broken(error, ended)
    }
  }

  /** The client does not answer for the time that we take. */
  async #timed(storing: Promise<void>): Promise<void> {
    const { clock } = this.#session.desk
    const since = clock.monotonic()
    await storing
    this.#storing += clock.monotonic() - since
  }
  /** A reader of one octet a second would otherwise be served for ever. */
  #isTooSlow(): boolean {
    const { clock, limits } = this.#session.desk
    if (limits.messageRate === 0) return false
    const elapsed = clock.monotonic() - this.#began - this.#storing
    return elapsed > FIRST_MINUTE && this.#reader.size < (limits.messageRate * elapsed) / 1000
  }

  #store(content: Uint8Array): Awaitable<void> {
    if (this.#refusal !== undefined) return undefined
    const fault = this.#fault()
    if (fault !== undefined) return this.#refuse(fault)
    if (this.#headers !== undefined) return content.length === 0 ? undefined : this.#reception.write(content)
    const collected = this.#head.add(content)
    const size = collected?.block.length ?? this.#head.size
    if (size > this.#session.desk.limits.headerBytes) return this.#refuse(headerTooBig)
    if (collected === undefined) return undefined
    const { block, rest } = collected
    return andThen(this.#askHeaders(block), () =>
      this.#refusal === undefined && rest.length > 0 ? this.#reception.write(rest) : undefined,
    )
  }
  #fault(): Refusal | undefined {
    if (this.#reader.size > this.#session.desk.limits.messageBytes) return tooBig
    return this.#reader.fault === undefined ? undefined : faultReply(this.#reader.fault)
  }
  /** Nothing more is stored; the rest is read and thrown away. */
  #refuse(reply: Refusal): void {
    this.#refusal ??= reply
    this.abort()
  }
  #stop(stop: Stop): void {
    if ('hangUp' in stop) this.#session.lastWords()
    if (this.#refusal === undefined) this.#by = this.#envelope.lastVerdict
    this.#refuse(stopReply(stop))
  }
  #askHeaders(block: Uint8Array): Awaitable<void> {
    const headers = parseHeaders(block)
    this.#headers = headers
    // Also a binary message has a header section in lines (RFC 3030 §3). In any other all of it was looked at.
    const fault = this.#envelope.params.body === 'binarymime' ? faultOf(block) : undefined
    if (fault !== undefined) return this.#refuse(faultReply(fault))
    const { chain } = this.#session.desk.service
    if (!chain.has('headers')) return undefined
    return andThen(chain.decide('headers', headers, this.#envelope), answer => {
      if (isStop(answer)) this.#stop(answer)
    })
  }

  /** The dot has come, or the end of a chunk. */
  #end(): Awaitable<Said> {
    if (!this.#reader.last) return this.#endOfChunk()
    if (this.#refusal !== undefined) return this.#refused()
    // Without an empty line, all of it was the header section.
    const asked = this.#headers === undefined ? this.#askHeaders(this.#head.soFar()) : undefined
    return andThen(asked, () => {
      if (this.#refusal !== undefined) return this.#refused()
      return this.#session.desk.service.chain.has('message') ? this.#askMessage() : this.#commit({})
    })
  }
  /** One reply for each chunk, also in LMTP: only the last one speaks of recipients. */
  #endOfChunk(): Said {
    if (this.#refusal === undefined) return this.#session.leave(encodeReply(chunkReceived(this.#reader.size)))
    this.#report([this.#refusal])
    return this.#session.concluded(encodeReply(this.#refusal))
  }
  #askMessage(): Awaitable<Said> {
    return andThen(this.#reception.end(), (body: Body) => {
      const message = { headers: this.#known(), body }
      return andThen(this.#session.desk.service.chain.decide('message', message, this.#envelope), answer =>
        this.#conclude(answer),
      )
    })
  }
  #conclude(answer: HookOut<'message'>): Awaitable<Said> {
    // The client has gone meanwhile; it will send the message again.
    if (this.#refusal !== undefined) return this.#refused()
    if (isStop(answer)) {
      this.#stop(answer)
      return this.#refused()
    }
    if ('discard' in answer) return this.#discard(answer.discard)
    const refused = 'each' in answer ? this.#refusedOnes(answer.each) : undefined
    if (refused !== undefined && refused.size === this.#envelope.recipients.length) {
      this.abort()
      this.#by = this.#envelope.lastVerdict
      return this.#answer(this.#envelope.recipients.map((_, i) => refused.get(i) ?? localError))
    }
    return this.#commit({
      ...('hold' in answer ? { hold: answer.hold } : {}),
      ...(refused === undefined || refused.size === 0 ? {} : { refused }),
    })
  }
  #refusedOnes(each: ReadonlyMap<object, unknown>): ReadonlyMap<number, Refusal> {
    const refused = new Map<number, Refusal>()
    for (const [index, recipient] of this.#envelope.accepted.entries()) {
      const answer = each.get(recipient)
      if (isStop(answer)) refused.set(index, stopReply(answer))
    }
    return refused
  }
  /** A policy removed it, and the client is not to know. The event says that it was, and why. */
  #discard(why: string): Said {
    this.abort()
    const { id } = this.#reception
    this.#session.event('delivery.dropped', { id, why, ...this.#facts() })
    return this.#answer(id === '' ? delivered : queuedAs(id))
  }
  #commit(disposition: Omit<Disposition, 'verdicts'>): Awaitable<Said> {
    this.#settled = true
    const { hello, verdicts } = this.#envelope
    const all = [...hello.connection.verdicts, ...hello.verdicts, ...verdicts]
    const replies = this.#reception.commit(this.#known(), { ...disposition, verdicts: all })
    return andThen(replies, answer => this.#answer(answer))
  }
  #known(): Headers {
    return this.#headers ?? parseHeaders(this.#head.soFar())
  }

  #refused(): Said {
    return this.#answer(this.#refusal ?? localError)
  }
  /** One reply; in LMTP, and with PRDR, one for each RCPT that was accepted, also where two named one recipient (RFC 2033 §4.2). */
  #answer(answer: Reply | readonly Reply[]): Said {
    const { recipients, answered } = this.#envelope
    const replies: readonly unknown[] = Array.isArray(answer) ? answer : recipients.map(() => answer)
    const checked = recipients.map((_, i): Reply => {
      const reply = replies[i]
      return isReply(reply) ? reply : localError
    })
    this.#report(checked)
    const each = (): Said => answered.map(i => encodeReply(checked[i] ?? localError)).join('')
    if (this.#session.desk.service.protocol === 'lmtp') return this.#session.concluded(each())
    // One reply for all: an acceptance of any is one, since the intake then owes reports for the others; else the mildest.
    const one = checked.find(reply => reply.class === 2) ?? checked.find(reply => reply.class === 4) ?? checked[0]
    const said = encodeReply(one ?? localError)
    // PRDR: only where recipients are answered differently is each heard of, and then the message.
    const differ = this.#envelope.params.prdr === true && checked.some(reply => reply !== one)
    return this.#session.concluded(differ ? `${recipientsFollow}${each()}${said}` : said)
  }
  #report(replies: readonly Reply[]): void {
    if (replies.some(reply => reply.class === 2)) return this.#session.brought()
    const [first] = replies
    this.#session.rejected('dot', first ?? localError, this.#facts(), this.#by)
  }
  #facts(): { readonly sender: string; readonly recipients: number; readonly size: number } {
    return {
      sender: this.#envelope.sender?.wire ?? '',
      recipients: this.#envelope.recipients.length,
      size: this.#reader.size,
    }
  }
  /** The one place that turns what nobody foresaw into a deferral. */
  #broken(error: unknown, ended: boolean): Said {
    this.#session.broken(error)
    this.#refuse(localError)
    if (!ended) return ''
    return this.#reader.last ? this.#refused() : this.#endOfChunk()
  }
}

const nothing = new Uint8Array(0)
const faultReply = (fault: ContentFault): Refusal => (fault === 'nul' ? malformedMessage : bareNewline)
