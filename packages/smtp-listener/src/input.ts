const LF = 10
/** What a chunk costs besides its octets, so that a peer that sends single octets is counted fairly. */
const CHUNK_COST = 128

/** Why there is no line. After `bare-lf` and `endless` nothing that follows can be trusted to be a command. */
export type LineFault = 'too-long' | 'endless' | 'bare-lf'
/** The octets of a line, one a character, without its CR LF; `undefined` while it is not there as a whole. */
export type Line = { readonly text: string } | { readonly fault: LineFault } | undefined

/** What has come in and was not read: chunks in a queue, and the line that has begun. */
export class Input {
  readonly #longest: number
  readonly #endless: number
  readonly #queue: Buffer[] = []
  #chunk: Buffer | undefined
  #at = 0
  #begun = ''
  /** Octets of the present line that were thrown away because it is too long. */
  #skipped = 0
  #cost = 0

  /** `longest` line that is kept, and the length at which a line counts as endless; octets. */
  constructor(longest: number, endless: number) {
    this.#longest = longest
    this.#endless = endless
  }

  /** Roughly what is held, in octets: what back-pressure goes by. */
  get held(): number {
    return this.#cost
  }
  /** Whether octets wait that were not looked at. */
  get waiting(): boolean {
    return this.#chunk !== undefined || this.#queue.length > 0
  }

  add(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    const buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    this.#cost += buffer.length + CHUNK_COST
    if (this.#chunk === undefined) this.#chunk = buffer
    else this.#queue.push(buffer)
  }
  /** Forget everything, as after a TLS handshake (RFC 3207 §4.2). */
  clear(): void {
    this.#queue.length = 0
    this.#chunk = undefined
    this.#at = 0
    this.#begun = ''
    this.#skipped = 0
    this.#cost = 0
  }

  /** The chunk at hand and where its unread part begins, for a reader of octets; `advance` says how far it got. */
  get chunk(): Buffer | undefined {
    return this.#chunk
  }
  get at(): number {
    return this.#at
  }
  advance(to: number): void {
    this.#at = to
    if (this.#chunk === undefined || to < this.#chunk.length) return
    this.#cost -= this.#chunk.length + CHUNK_COST
    this.#chunk = this.#queue.shift()
    this.#at = 0
  }

  /** The next line. Only CR LF ends one: a bare LF is a fault, since what others take for a line must be one to us too. */
  line(): Line {
    for (let chunk = this.#chunk; chunk !== undefined; chunk = this.#chunk) {
      const end = chunk.indexOf(LF, this.#at)
      this.#keep(chunk.toString('latin1', this.#at, end === -1 ? chunk.length : end))
      this.advance(end === -1 ? chunk.length : end + 1)
      if (this.#skipped > this.#endless) return { fault: 'endless' }
      if (end !== -1) return this.#ended()
    }
    return undefined
  }
  #keep(text: string): void {
    this.#begun += text
    if (this.#skipped === 0 && this.#begun.length <= this.#longest) return
    // The last octet stays: it decides whether the line ends in CR LF.
    this.#skipped += this.#begun.length - 1
    this.#begun = this.#begun.slice(-1)
  }
  #ended(): Line {
    const line = this.#begun
    const skipped = this.#skipped
    this.#begun = ''
    this.#skipped = 0
    if (!line.endsWith('\r')) return { fault: 'bare-lf' }
    return skipped > 0 ? { fault: 'too-long' } : { text: line.slice(0, -1) }
  }
}
