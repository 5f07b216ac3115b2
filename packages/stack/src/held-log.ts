import type { LogStream } from '@posthorn/journal'

/** Characters that are kept; whoever writes more is told to wait. */
const mostKept = 1 << 20

/** A stream for log lines that are kept until they may follow something else: the line that says that the program is ready. */
export class HeldLog implements LogStream {
  readonly #stream: LogStream
  #kept: string | undefined = ''
  #waiting: (() => void)[] = []

  constructor(stream: LogStream) {
    this.#stream = stream
  }

  get isTTY(): boolean {
    return this.#stream.isTTY === true
  }

  write(text: string): boolean {
    if (this.#kept === undefined) return this.#stream.write(text)
    this.#kept += text
    return this.#kept.length < mostKept
  }

  once(event: 'drain', call: () => void): unknown {
    return this.#kept === undefined ? this.#stream.once(event, call) : this.#waiting.push(call)
  }

  on(event: 'error' | 'close', call: () => void): unknown {
    return this.#stream.on(event, call)
  }

  /** Let out what was kept; from now on lines go straight through. Idempotent. */
  release(): void {
    const kept = this.#kept ?? ''
    const waiting = this.#waiting
    this.#kept = undefined
    this.#waiting = []
    const open = kept === '' || this.#stream.write(kept)
    for (const call of waiting) {
      if (open) call()
      else this.#stream.once('drain', call)
    }
  }
}
