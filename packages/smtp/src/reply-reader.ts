import type { RemoteReply } from '@posthorn/reply'

/** Bounds on what a peer may say at once. */
export interface ReplyLimits {
  /** Octets of one line, its end included. RFC 5321 §4.5.3.1.5 promises 512. */
  readonly line: number
  /** Lines of one reply. */
  readonly lines: number
  /** Octets that wait to be read, in all. */
  readonly buffer: number
}

/** The peer does not speak SMTP; nothing it says afterwards can be trusted. Final. */
export interface ReplyFault {
  readonly fault: string
}

const defaults: ReplyLimits = { line: 4096, lines: 128, buffer: 1 << 20 }

/** First digit 2 to 5, second 0 to 5 (RFC 5321 §4.2 `Reply-code`); a space, a hyphen or nothing behind it. */
const replyLine = /^([2-5][0-5]\d)(?:([ -])([^]*))?$/
const status = /^([245])\.\d{1,3}\.\d{1,3}(?= |$)/

const CR = 0x0d
const LF = 0x0a

const latin1 = (bytes: Uint8Array, start: number, end: number): string => {
  let text = ''
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!)
  return text
}

const withoutStatus = (line: string, enhanced: string): string =>
  line === enhanced ? '' : line.startsWith(`${enhanced} `) ? line.slice(enhanced.length + 1) : line

const assemble = (code: number, lines: readonly string[]): RemoteReply => {
  const enhanced = status.exec(lines[0]!)?.[0]
  // A status whose class contradicts the code is text, not a status (RFC 3463 §2).
  if (enhanced === undefined || Number(enhanced[0]) !== Math.trunc(code / 100)) return { code, lines }
  return { code, enhanced, lines: lines.map(line => withoutStatus(line, enhanced)) }
}

/**
 * Cuts a peer's octets into replies, however they arrive. A line may end in a bare LF. Owned by one connection; after a fault the
 * connection is of no more use.
 */
export class ReplyReader {
  readonly #limits: ReplyLimits
  #buffer: Uint8Array = new Uint8Array(0)
  #start = 0
  #end = 0
  /** Up to here there is no LF. */
  #scanned = 0
  #code = 0
  #lines: string[] = []
  #fault: ReplyFault | undefined

  constructor(limits?: Partial<ReplyLimits>) {
    this.#limits = { ...defaults, ...limits }
  }

  /** Octets that were pushed and belong to no reply yet. After 220 to STARTTLS there must be none (RFC 3207 §6). */
  get pending(): number {
    return this.#end - this.#start
  }

  /** Whether a reply has begun and not ended: silence now is a timeout within a reply. */
  get midReply(): boolean {
    return this.#lines.length > 0 || this.pending > 0
  }

  /** Add what arrived; it is copied. */
  push(chunk: Uint8Array): void {
    if (this.#fault !== undefined || chunk.length === 0) return
    if (this.pending + chunk.length > this.#limits.buffer) {
      this.#fail('more unasked replies than the limit')
      return
    }
    this.#makeRoom(chunk.length)
    this.#buffer.set(chunk, this.#end)
    this.#end += chunk.length
  }

  /** The next whole reply; a fault, from then on always; `undefined` when more octets are needed. */
  next(): RemoteReply | ReplyFault | undefined {
    for (;;) {
      if (this.#fault !== undefined) return this.#fault
      const line = this.#line()
      if (line === undefined) return this.#fault
      const reply = this.#take(line)
      if (reply !== undefined) return reply
    }
  }

  #makeRoom(length: number): void {
    if (this.#end + length <= this.#buffer.length) return
    const pending = this.pending
    const room = pending + length <= this.#buffer.length / 2 ? this.#buffer.length : (pending + length) * 2
    const target = new Uint8Array(Math.max(256, room))
    target.set(this.#buffer.subarray(this.#start, this.#end))
    this.#buffer = target
    this.#scanned -= this.#start
    this.#start = 0
    this.#end = pending
  }

  #line(): string | undefined {
    const buffer = this.#buffer
    let lf = this.#scanned
    while (lf < this.#end && buffer[lf] !== LF) lf++
    this.#scanned = lf
    if (lf - this.#start >= this.#limits.line) return this.#fail('a reply line is too long')
    if (lf === this.#end) return undefined
    const line = latin1(buffer, this.#start, lf > this.#start && buffer[lf - 1] === CR ? lf - 1 : lf)
    this.#start = this.#scanned = lf + 1
    if (this.#start === this.#end) this.#start = this.#scanned = this.#end = 0
    return line
  }

  #take(line: string): RemoteReply | undefined {
    const match = replyLine.exec(line)
    if (match === null) return this.#fail('a reply line without a reply code')
    const code = Number(match[1])
    if (this.#lines.length > 0 && code !== this.#code) return this.#fail('the lines of a reply differ in their code')
    this.#code = code
    this.#lines.push(match[3] ?? '')
    if (match[2] !== '-') {
      const lines = this.#lines
      this.#lines = []
      return assemble(code, lines)
    }
    return this.#lines.length < this.#limits.lines ? undefined : this.#fail('a reply has too many lines')
  }

  #fail(fault: string): undefined {
    this.#fault = { fault }
    this.#buffer = new Uint8Array(0)
    this.#start = this.#end = this.#scanned = 0
    this.#lines = []
    return undefined
  }
}
