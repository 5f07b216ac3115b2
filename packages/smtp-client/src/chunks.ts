import { LineEnds } from '@posthorn/smtp'
import type { Body } from '@posthorn/message'
import { bareNewline, breakOff, notOurs, unreadable, wrongSize } from './content.ts'
import { isLost, type Conversation } from './conversation.ts'
import type { ClientLimits } from './limits.ts'
import { classOf, loss, quote, refusal, type Trouble } from './outcome.ts'

/** What is sent in chunks, and over what. */
export interface ChunksOptions {
  readonly conversation: Conversation
  readonly body: Body
  readonly limits: ClientLimits
  /** Octets as they are (BINARYMIME); otherwise lines, as DATA would carry them. */
  readonly binary: boolean
  readonly stillOurs: (() => boolean) | undefined
}

/** The least of a chunk that others follow: a reply is read for each. */
const CHUNK = 262_144
/** What has no line end so far is cut here. */
const LONGEST_LINE = 1000
const LF = 10

/** The pieces of a body, none much larger than a chunk. */
async function* piecesOf(body: Body, signal: AbortSignal): AsyncGenerator<Uint8Array, undefined> {
  for await (const piece of body.open(signal))
    for (let at = 0; at < piece.length; at += CHUNK) yield piece.subarray(at, at + CHUNK)
  return undefined
}

/**
 * Content on its way by BDAT (RFC 3030 §2). The first chunk is the first line alone, and stands where DATA would: a peer that offers
 * CHUNKING and does not read what follows a BDAT that it refuses takes that for commands, and one line of ours is all it gets. The last
 * chunk, which makes a message of the others, begins when all of it was read and found fit and all others were taken.
 */
export class Chunks {
  readonly #c: Conversation
  readonly #o: ChunksOptions
  readonly #reading = new AbortController()
  readonly #pieces: AsyncGenerator<Uint8Array, undefined>
  readonly #ends = new LineEnds()
  #size = 0
  /** The next chunk. */
  #held: Uint8Array[] = []
  #heldSize = 0
  /** Chunks that were sent and not answered. */
  #owed = 0

  constructor(o: ChunksOptions) {
    this.#o = o
    this.#c = o.conversation
    this.#pieces = piecesOf(o.body, this.#reading.signal)
  }

  /** Read the first line: the command with it, or why it cannot be read. The peer has heard nothing yet. */
  async open(): Promise<string | Trouble> {
    // Reading ends with the connection: a slow disk must not hold on to a message whose peer has gone.
    this.#c.onUnasked = () => this.#c.lost && this.#reading.abort()
    const piece = await this.#next()
    if (piece !== undefined && 'cause' in piece) return piece
    if (piece === undefined) return 'BDAT 0\r\n'
    const lf = piece.subarray(0, LONGEST_LINE).indexOf(LF)
    const end = lf === -1 ? Math.min(piece.length, LONGEST_LINE) : lf + 1
    this.#hold(piece.subarray(end))
    return `BDAT ${end}\r\n${Buffer.from(piece.subarray(0, end)).toString('latin1')}`
  }

  /** Send the rest. Trouble means that the last chunk was not sent; the connection is good for another message if it is still there. */
  async send(): Promise<Trouble | undefined> {
    const trouble = await this.#sendAll()
    const { lost } = this.#c
    if (trouble === undefined || lost === undefined || lost.lost === 'aborted') return trouble
    // It may have said why before it left.
    return (await this.#hearOwed(true)) ?? trouble
  }
  /** The body is not needed any more. */
  async close(): Promise<void> {
    this.#c.onUnasked = undefined
    await this.#pieces.return(undefined).catch(() => undefined)
  }

  async #sendAll(): Promise<Trouble | undefined> {
    for (;;) {
      const piece = await this.#next()
      if (piece === undefined) break
      if ('cause' in piece) return breakOff(this.#c, piece)
      const trouble = this.#heldSize < CHUNK ? undefined : await this.#sendHeld()
      if (trouble !== undefined) return trouble
      this.#hold(piece)
    }
    return (await this.#hearOwed(true)) ?? this.#sendLast()
  }
  async #next(): Promise<Uint8Array | Trouble | undefined> {
    if (this.#c.lost !== undefined) return loss('data', this.#c.lost)
    try {
      const { value } = await this.#pieces.next()
      if (this.#c.lost !== undefined) return loss('data', this.#c.lost)
      return value === undefined ? this.#faultAtEnd() : this.#look(value)
    } catch (error) {
      return unreadable(this.#c, error)
    }
  }
  #look(piece: Uint8Array): Uint8Array | Trouble {
    this.#size += piece.length
    if (this.#o.binary) return piece
    this.#ends.push(piece)
    return this.#ends.bare ? bareNewline : piece
  }
  #faultAtEnd(): Trouble | undefined {
    if (this.#size !== this.#o.body.size) return wrongSize(this.#size, this.#o.body)
    if (this.#o.binary) return undefined
    this.#ends.end()
    return this.#ends.bare ? bareNewline : undefined
  }
  #hold(piece: Uint8Array): void {
    if (piece.length === 0) return
    this.#held.push(piece)
    this.#heldSize += piece.length
  }

  async #sendHeld(): Promise<Trouble | undefined> {
    return (await this.#sayHeld(`BDAT ${this.#heldSize}\r\n`)) ?? this.#hearOwed(!this.#c.features.pipelining)
  }
  /** RFC 5321 §2.3.8: mail that is made of lines ends with one, also for a peer that could do without. */
  async #sendLast(): Promise<Trouble | undefined> {
    if (!this.#c.quiet) return breakOff(this.#c, { phase: 'data', cause: 'more replies than chunks', status: '4.5.0' })
    if (this.#o.stillOurs?.() === false) return breakOff(this.#c, notOurs)
    if (!this.#o.binary && !this.#ends.complete) this.#hold(Buffer.from('\r\n'))
    return this.#sayHeld(`BDAT ${this.#heldSize} LAST\r\n`)
  }
  /** Trouble when the peer was lost before the end of it. */
  async #sayHeld(command: string): Promise<Trouble | undefined> {
    const { limits } = this.#o
    const pieces = this.#held
    this.#held = []
    this.#heldSize = 0
    this.#owed++
    this.#c.say(command)
    for (const piece of pieces) {
      if (this.#c.lost !== undefined) return loss('data', this.#c.lost)
      if (!this.#c.say(piece)) await this.#c.drained(limits.blockMs)
    }
    return undefined
  }
  /** The replies that are here, or all that are owed. After a refusal the others say nothing new (RFC 3030 §2). */
  async #hearOwed(all: boolean): Promise<Trouble | undefined> {
    let trouble: Trouble | undefined
    let least = all ? 0 : this.#owed
    while (this.#owed > least || (this.#owed > 0 && !this.#c.quiet)) {
      const heard = await this.#c.hear(this.#o.limits.blockMs)
      if (isLost(heard)) return trouble ?? loss('data', heard)
      this.#owed--
      if (classOf(heard) === 2) continue
      trouble ??= refusal('data', heard)
      least = 0
      if (heard.code === 421 || classOf(heard) === 3) return breakOff(this.#c, { ...trouble, cause: quote(heard) })
    }
    return trouble
  }
}
