import type { Awaitable, Clock, Outcome, Phase, RemoteReply } from '@posthorn/contracts'
import { Chunks } from './chunks.ts'
import { breakOff, notOurs, shortContent, streamContent, type Content } from './content.ts'
import { isLost, type Conversation, type Heard } from './conversation.ts'
import { envelopeFor, type Envelope } from './envelope.ts'
import type { ClientLimits } from './limits.ts'
import type { Mail } from './mail.ts'
import { classOf, loss, outcomeOf, quote, recipientRefusal, refusal, success, type Trouble } from './outcome.ts'

/** What a transaction is about. */
export interface TransactionOptions {
  readonly mail: Mail
  readonly protocol: 'smtp' | 'lmtp'
  readonly limits: ClientLimits
  readonly clock: Pick<Clock, 'wall'>
  /** Only ask about the recipients; nothing is sent. */
  readonly probe?: boolean
}
export interface Result {
  /** One per recipient, in their order. */
  readonly outcomes: readonly Outcome[]
  /** The peer had closed before it answered anything: on a reused connection that says nothing about the message. */
  readonly stale: boolean
  /**
   * What became of BDAT when it went wrong: the peer did not understand it, and no outcome counts, since by DATA it may do better; or it
   * was lost in the middle.
   */
  readonly chunks?: 'unknown' | 'lost' | undefined
}

const isTrouble = (x: Envelope | Content): x is Trouble => typeof x === 'object' && 'cause' in x

/** No recipient may be left without an outcome, whatever was overlooked; sending twice is better than not at all. */
const unanswered: Trouble = { phase: 'dot', fate: 'unknown', cause: 'no answer for this recipient', status: '4.3.0' }

class Transaction {
  readonly #c: Conversation
  readonly #o: TransactionOptions
  readonly #envelope: Envelope
  readonly #content: Uint8Array | undefined
  readonly #chunks: Opening | undefined
  readonly #outcomes: (Outcome | undefined)[]
  /** Positions of the recipients that the peer took. */
  readonly #accepted: number[] = []
  readonly #pipelined: boolean
  #senderRefused = false
  #stale = false
  #chunkFault: Result['chunks']

  constructor(c: Conversation, o: TransactionOptions, envelope: Envelope, content: Uint8Array | Opening | undefined) {
    this.#c = c
    this.#o = o
    this.#envelope = envelope
    const chunked = content !== undefined && 'command' in content
    this.#chunks = chunked ? content : undefined
    this.#content = chunked ? undefined : content
    this.#pipelined = c.features.pipelining
    this.#outcomes = envelope.rcpts.map(rcpt => (typeof rcpt === 'string' ? undefined : outcomeOf(rcpt, c)))
  }

  async run(): Promise<Result> {
    if (this.#pipelined) this.#c.say(this.#group())
    const stopped =
      (this.#c.dirty ? await this.#reset() : undefined) ??
      (await this.#sender()) ??
      (await this.#recipients()) ??
      (await this.#message())
    if (stopped !== undefined) this.#settleRest(stopped)
    return {
      outcomes: this.#outcomes.map(o => o ?? outcomeOf(unanswered, this.#c)),
      stale: this.#stale,
      chunks: this.#chunkFault,
    }
  }

  /** Everything up to DATA, or the first line by BDAT, as one write (RFC 2920 §3.1, RFC 3030 §4.2). */
  #group(): string {
    let text = this.#c.dirty ? 'RSET\r\n' : ''
    text += this.#envelope.mail
    for (const rcpt of this.#envelope.rcpts) if (typeof rcpt === 'string') text += rcpt
    return this.#o.probe === true ? text : text + (this.#chunks?.command ?? 'DATA\r\n')
  }
  #ask(line: string, ms: number): Heard | Promise<Heard> {
    if (!this.#pipelined) this.#c.say(line)
    return this.#c.hear(ms)
  }
  #settle(position: number, trouble: Trouble): void {
    this.#outcomes[position] ??= outcomeOf(trouble, this.#c)
  }
  #settleRest(trouble: Trouble): void {
    for (let i = 0; i < this.#outcomes.length; i++) this.#settle(i, trouble)
  }
  /** The end of the conversation: it was lost, the peer said 421, or what it said makes no sense here. */
  #over(phase: Phase, heard: Heard): Trouble {
    if (isLost(heard)) return loss(phase, heard)
    this.#c.lose({ lost: 'fault', cause: quote(heard), status: '4.5.0' })
    return heard.code === 421
      ? refusal(phase, heard)
      : { phase, cause: `unexpected reply: ${quote(heard)}`, reply: heard, status: '4.5.0' }
  }
  /** Before anything else was answered, a peer that leaves was leaving anyway. */
  #leaving(heard: Heard): boolean {
    return isLost(heard) ? heard.lost === 'closed' : heard.code === 421
  }

  async #reset(): Promise<Trouble | undefined> {
    const heard = await this.#ask('RSET\r\n', this.#o.limits.mailMs)
    if (!isLost(heard) && classOf(heard) === 2) {
      this.#c.dirty = false
      return undefined
    }
    this.#stale = this.#leaving(heard)
    return this.#over('mail', heard)
  }
  async #sender(): Promise<Trouble | undefined> {
    const heard = await this.#ask(this.#envelope.mail, this.#o.limits.mailMs)
    if (isLost(heard) || heard.code === 421) {
      this.#stale = this.#leaving(heard)
      return this.#over('mail', heard)
    }
    const cls = classOf(heard)
    if (cls === 3) return this.#over('mail', heard)
    if (cls === 2) this.#c.dirty = true
    else {
      this.#senderRefused = true
      this.#settleRest(refusal('mail', heard))
    }
    return undefined
  }
  async #recipients(): Promise<Trouble | undefined> {
    if (this.#senderRefused && !this.#pipelined) return undefined
    const { rcpts } = this.#envelope
    for (let position = 0; position < rcpts.length; position++) {
      const rcpt = rcpts[position]
      if (typeof rcpt !== 'string') continue
      const answer = this.#ask(rcpt, this.#o.limits.rcptMs)
      const heard = answer instanceof Promise ? await answer : answer
      if (isLost(heard) || heard.code === 421 || classOf(heard) === 3) return this.#over('rcpt', heard)
      if (this.#senderRefused) continue
      if (classOf(heard) === 2) this.#take(position, heard)
      else this.#settle(position, recipientRefusal(heard, this.#accepted.length))
    }
    return undefined
  }
  #take(position: number, reply: RemoteReply): void {
    this.#accepted.push(position)
    if (this.#o.probe === true) this.#outcomes[position] = { ...success('lmtp', false, reply, this.#c), phase: 'rcpt' }
  }

  #message(): Promise<Trouble | undefined> | undefined {
    if (this.#o.probe === true) return undefined
    if (this.#accepted.length === 0 && !this.#pipelined) return undefined
    return this.#chunks === undefined ? this.#byData() : this.#byBdat(this.#chunks)
  }
  async #byData(): Promise<Trouble | undefined> {
    const answer = this.#ask('DATA\r\n', this.#o.limits.dataMs)
    const heard = answer instanceof Promise ? await answer : answer
    if (isLost(heard) || heard.code === 421) return this.#over('data', heard)
    if (heard.code !== 354) {
      if (classOf(heard) < 4) return this.#over('data', heard)
      this.#settleRest(refusal('data', heard))
      return undefined
    }
    if (this.#accepted.length === 0) return this.#emptyMessage()
    if (this.#o.mail.stillOurs?.() === false) return breakOff(this.#c, notOurs)
    if (this.#content !== undefined) this.#c.say(this.#content)
    else {
      const { mail, limits } = this.#o
      const { body, stillOurs } = mail
      const trouble = await streamContent({ conversation: this.#c, body, limits, stillOurs })
      if (trouble !== undefined) return trouble
    }
    return this.#replies()
  }
  /**
   * The peer wants a message for nobody (RFC 2920 §3.1): it gets the dot alone. An LMTP server must not ask (RFC 2033 §4.2), and how many
   * replies it would send then nobody knows.
   */
  async #emptyMessage(): Promise<Trouble | undefined> {
    if (this.#o.protocol === 'lmtp')
      return breakOff(this.#c, { phase: 'data', cause: '354 without a recipient', status: '4.5.0' })
    this.#c.say('.\r\n')
    const heard = await this.#c.hear(this.#o.limits.dotMs)
    this.#c.dirty = false
    return isLost(heard) || heard.code === 421 ? this.#over('dot', heard) : undefined
  }
  async #byBdat({ chunks, command }: Opening): Promise<Trouble | undefined> {
    const heard = await this.#ask(command, this.#o.limits.dataMs)
    if (this.#accepted.length === 0) return this.#chunkForNobody(heard)
    if (isLost(heard)) {
      if (heard.lost !== 'aborted') this.#chunkFault = 'unknown'
      return loss('data', heard)
    }
    if (classOf(heard) !== 2) return this.#chunkRefused(heard)
    if (this.#o.mail.stillOurs?.() === false) return breakOff(this.#c, notOurs)
    const trouble = (await chunks.send()) ?? (await this.#replies())
    const lost = this.#c.lost?.lost
    if (lost === 'closed' || lost === 'timeout') this.#chunkFault = 'lost'
    return trouble
  }
  /** It has to be read and thrown away by a peer that took no recipient (RFC 3030 §2); RSET makes sure of that. */
  #chunkForNobody(heard: Heard): Trouble | undefined {
    if (isLost(heard) || heard.code === 421 || classOf(heard) === 3) return this.#over('data', heard)
    this.#c.dirty = true
    return undefined
  }
  #chunkRefused(heard: RemoteReply): Trouble | undefined {
    if (heard.code === 421 || classOf(heard) === 3) return this.#over('data', heard)
    const trouble = refusal('data', heard)
    if (!isAboutCommand(heard)) {
      this.#settleRest(trouble)
      return undefined
    }
    // What it made of the line nobody knows, nor what it will answer next.
    this.#chunkFault = 'unknown'
    return breakOff(this.#c, { ...trouble, fate: 'deferred' })
  }

  /** After the dot: one reply, or with LMTP one per accepted recipient in their order (RFC 2033 §4.2). */
  async #replies(): Promise<Trouble | undefined> {
    this.#c.dirty = false
    const groups = this.#o.protocol === 'lmtp' ? this.#accepted.map(position => [position]) : [this.#accepted]
    for (const group of groups) {
      const heard = await this.#c.hear(this.#o.limits.dotMs)
      if (isLost(heard)) return { ...loss('dot', heard), fate: 'unknown', notTried: false }
      if (classOf(heard) === 3) return { ...this.#over('dot', heard), fate: 'unknown' }
      for (const position of group) this.#conclude(position, heard)
      if (heard.code === 421) return { ...this.#over('dot', heard), fate: 'unknown' }
    }
    return undefined
  }
  #conclude(position: number, reply: RemoteReply): void {
    if (classOf(reply) !== 2) return this.#settle(position, refusal('dot', reply))
    const outcome = success(this.#o.protocol, this.#c.features.dsn, reply, this.#c)
    const timed = this.#o.mail.deliverBy !== undefined && this.#c.features.deliverBy
    this.#outcomes[position] = timed ? { ...outcome, deliverByTakenOver: true } : outcome
  }
}

/** RFC 5321 §4.2.1: x0z is of the syntax; the command is not understood, not taken here or not implemented. */
const isAboutCommand = ({ code }: RemoteReply): boolean => code >= 500 && code <= 504

/** Content by BDAT whose first line is read, as the command that begins it. */
interface Opening {
  readonly chunks: Chunks
  readonly command: string
}

/** Whether it has to go by BDAT, or is so long that it is better to. */
const goesInChunks = (
  { mail, limits, probe }: TransactionOptions,
  { chunking, binary }: Conversation['features'],
): boolean =>
  chunking && probe !== true && ((binary && mail.eightBit === 'binarymime') || mail.body.size > limits.chunkFrom)

const inChunks = async (c: Conversation, o: TransactionOptions, envelope: Envelope): Promise<Result> => {
  const { body, eightBit, stillOurs } = o.mail
  const chunks = new Chunks({ conversation: c, body, limits: o.limits, binary: eightBit === 'binarymime', stillOurs })
  try {
    const command = await chunks.open()
    if (typeof command !== 'string') return same(command, c, o)
    c.messages++
    return await new Transaction(c, o, envelope, { chunks, command }).run()
  } finally {
    await chunks.close()
  }
}

const same = (trouble: Trouble, c: Conversation, o: TransactionOptions): Result => ({
  outcomes: o.mail.recipients.map(() => outcomeOf(trouble, c)),
  stale: false,
})

/** Send one message over a conversation that is ready for MAIL. One outcome per recipient, whatever the peer does. */
export const transact = (c: Conversation, o: TransactionOptions): Awaitable<Result> => {
  const envelope = envelopeFor(o.mail, c.features, o.clock)
  if (isTrouble(envelope)) return same(envelope, c, o)
  const chunked = goesInChunks(o, c.features)
  const content = chunked || o.probe === true ? undefined : shortContent(o.mail.body, o.limits)
  if (isTrouble(content)) return same(content, c, o)
  if (o.mail.stillOurs?.() === false) return same(notOurs, c, o)
  if (chunked) return inChunks(c, o, envelope)
  c.messages++
  return new Transaction(c, o, envelope, content).run()
}
