/** What the journal writes to: any Node stream. The journal does not end it. */
export interface LogStream {
  write(text: string): boolean
  once(event: 'drain', call: () => void): unknown
  on(event: 'error' | 'close', call: () => void): unknown
  readonly isTTY?: boolean
}

/** Beyond this many characters waiting for a slow stream, lines are counted instead of kept. */
const MAX_WAITING = 8 << 20

/** After a write, lines gather for so long, in ms: a busy server writes many at once, and a line of a quiet one leaves at once. */
const GATHER_MS = 10

/** Gathers lines into few writes, and keeps memory bounded when the stream is slow. */
export class LineSink {
  readonly #stream: LogStream
  readonly #lost: (lines: number) => string
  #text = ''
  #dropped = 0
  #scheduled = false
  #blocked = false
  #dead = false
  #flushed: (() => void)[] = []

  /** `lost` makes the line that tells how many were dropped. */
  constructor(stream: LogStream, lost: (lines: number) => string) {
    this.#stream = stream
    this.#lost = lost
    // A log that cannot be written (a closed pipe) must not stop the mail.
    const dead = (): void => {
      this.#dead = true
      this.#text = ''
      this.#settle()
    }
    stream.on('error', dead)
    stream.on('close', dead)
  }

  write(line: string): void {
    if (this.#dead) return
    if (this.#text.length > MAX_WAITING) {
      this.#dropped++
      return
    }
    this.#text += line
    if (this.#scheduled || this.#blocked) return
    this.#scheduled = true
    setImmediate(this.#round)
  }
  readonly #round = (): void => {
    this.#scheduled = this.#text !== '' && !this.#blocked
    if (!this.#scheduled) return
    this.#push()
    setTimeout(this.#round, GATHER_MS)
  }
  #push(): void {
    if (this.#blocked || this.#dead) return
    let text = this.#text
    this.#text = ''
    if (this.#dropped > 0) {
      text += this.#lost(this.#dropped)
      this.#dropped = 0
    }
    if (text !== '' && !this.#stream.write(text)) {
      this.#blocked = true
      this.#stream.once('drain', () => {
        this.#blocked = false
        this.#push()
      })
      return
    }
    this.#settle()
  }
  #settle(): void {
    const flushed = this.#flushed
    this.#flushed = []
    for (const resolve of flushed) resolve()
  }

  /** Resolves when the stream has taken all lines so far, or can take none any more. */
  flush(): Promise<void> {
    return new Promise(resolve => {
      if (this.#dead) return resolve()
      this.#flushed.push(resolve)
      this.#push()
    })
  }
}
