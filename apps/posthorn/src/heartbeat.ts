import type { Clock } from '@posthorn/contracts'

/** How often it is asked within the silence that it is allowed. */
const questions = 6

export interface HeartbeatOptions {
  readonly clock: Pick<Clock, 'after'>
  /** How long it may say nothing, in ms. */
  readonly silenceMs: number
  /** Ask for a sign of life. */
  readonly ask: () => void
  /** It has given none for so long. Called once. */
  readonly silent: () => void
}

/**
 * Watches over another process or thread by questions, which it answers as long as its event loop turns. It is unanswered questions that count
 * and no time: while this process is held up itself, or the machine sleeps, none is asked, and nobody is called silent for that.
 */
export class Heartbeat {
  readonly #o: HeartbeatOptions
  #unanswered = 0
  #cancel: () => void

  constructor(o: HeartbeatOptions) {
    this.#o = o
    this.#cancel = this.#next()
  }

  /** It has said something, whatever it was. */
  heard(): void {
    this.#unanswered = 0
  }

  stop(): void {
    this.#cancel()
  }

  #next(): () => void {
    const { clock, silenceMs } = this.#o
    return clock.after(silenceMs / questions, () => this.#beat())
  }

  #beat(): void {
    if (this.#unanswered === questions) return this.#o.silent()
    this.#unanswered += 1
    this.#o.ask()
    this.#cancel = this.#next()
  }
}
