import type { Outcome, Phase, RemoteReply } from '@posthorn/contracts'
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
  /** Only ask about the recipients; nothing is sent. */
  readonly probe?: boolean
}
export interface Result {
  /** One per recipient, in their order. */
  readonly outcomes: readonly Outcome[]
  /** The peer had closed before it answered anything: on a reused connection that says nothing about the message. */
  readonly stale: boolean
}

const isTrouble = (x: Envelope | Content): x is Trouble => typeof x === 'object' && 'cause' in x

/** No recipient may be left without an outcome, whatever was overlooked; sending twice is better than not at all. */
const unanswered: Trouble = { phase: 'dot', fate: 'unknown', cause: 'no answer for this recipient', status: '4.3.0' }

class Transaction {
  readonly #c: Conversation
  readonly #o: TransactionOptions
  readonly #envelope: Envelope
  readonly #content: Uint8Array | undefined
  readonly #bdat: boolean
  readonly #outcomes: (Outcome | undefined)[]
  /** Positions of the recipients that the peer took. */
  readonly #accepted: number[] = []
  readonly #pipelined: boolean
  #senderRefused = false
  #stale = false

  constructor(c: Conversation, o: TransactionOptions, envelope: Envelope, content: Uint8Array | undefined) {
    this.#c = c
    this.#o = o
    this.#envelope = envelope
    this.#content = content
    this.#bdat = o.mail.eightBit === 'binarymime' && c.features.binary
    this.#pipelined = c.features.pipelining
    this.#outcomes = envelope.rcpts.map(rcpt => (typeof rcpt === 'string' ? undefined : outcomeOf(rcpt, c)))
  }

  async run(): Promise<Result> {
    if (this.#pipelined) this.#c.say(this.#group())
    const stopped =
      (await this.#reset()) ?? (await this.#sender()) ?? (await this.#recipients()) ?? (await this.#message())
    if (stopped !== undefined) this.#settleRest(stopped)
    return { outcomes: this.#outcomes.map(o => o ?? outcomeOf(unanswered, this.#c)), stale: this.#stale }
  }

  /** Everything up to DATA as one write (RFC 2920 §3.1). */
  #group(): string {
    let text = this.#c.dirty ? 'RSET\r\n' : ''
    text += this.#envelope.mail
    for (const rcpt of this.#envelope.rcpts) if (typeof rcpt === 'string') text += rcpt
    return this.#o.probe === true || this.#bdat ? text : `${text}DATA\r\n`
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
    if (!this.#c.dirty) return undefined
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
    for (const [position, rcpt] of this.#envelope.rcpts.entries()) {
      if (typeof rcpt !== 'string') continue
      const heard = await this.#ask(rcpt, this.#o.limits.rcptMs)
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
    const nobody = this.#accepted.length === 0
    if (this.#bdat) return nobody ? undefined : this.#byBdat()
    return nobody && !this.#pipelined ? undefined : this.#byData()
  }
  async #byData(): Promise<Trouble | undefined> {
    const heard = await this.#ask('DATA\r\n', this.#o.limits.dataMs)
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
      const trouble = await this.#stream(true)
      if (trouble !== undefined) return trouble
    }
    return this.#replies()
  }
  #stream(dots: boolean): Promise<Trouble | undefined> {
    const { mail, limits } = this.#o
    return streamContent({ conversation: this.#c, body: mail.body, limits, stillOurs: mail.stillOurs }, dots)
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
  /** One chunk, and an empty last one so that nothing is sent before we have asked whether it is still ours. */
  async #byBdat(): Promise<Trouble | undefined> {
    this.#c.say(`BDAT ${this.#o.mail.body.size}\r\n`)
    const trouble = await this.#stream(false)
    if (trouble !== undefined) return trouble
    const heard = await this.#c.hear(this.#o.limits.dotMs)
    if (!isLost(heard) && classOf(heard) === 2) return this.#replies()
    // The last chunk is on its way although the first was refused; its reply tells us nothing.
    if (!isLost(heard)) breakOff(this.#c, { phase: 'data', cause: quote(heard) })
    return isLost(heard) ? loss('data', heard) : refusal('data', heard)
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
    this.#outcomes[position] = success(this.#o.protocol, this.#c.features.dsn, reply, this.#c)
  }
}

const same = (trouble: Trouble, c: Conversation, o: TransactionOptions): Result => ({
  outcomes: o.mail.recipients.map(() => outcomeOf(trouble, c)),
  stale: false,
})

/** Send one message over a conversation that is ready for MAIL. One outcome per recipient, whatever the peer does. */
export const transact = async (c: Conversation, o: TransactionOptions): Promise<Result> => {
  const envelope = envelopeFor(o.mail, c.features)
  if (isTrouble(envelope)) return same(envelope, c, o)
  const binary = o.mail.eightBit === 'binarymime' && c.features.binary
  const content = binary || o.probe === true ? undefined : shortContent(o.mail.body, o.limits)
  if (isTrouble(content)) return same(content, c, o)
  if (o.mail.stillOurs?.() === false) return same(notOurs, c, o)
  c.messages++
  return new Transaction(c, o, envelope, content).run()
}
