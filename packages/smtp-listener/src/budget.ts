import { tooManyAuthenticationFailures, tooManyCommands, tooManyErrors } from '@posthorn/reply'
import type { Defer } from '@posthorn/reply'
import type { Limits } from './limits.ts'

/** A client waits five minutes for a reply (RFC 5321 §4.5.3.2), and we hold its session meanwhile. */
const MOST_STEPS = 5

/** What a session has left of each thing that costs us and brings no mail. */
export class Budget {
  readonly #limits: Limits
  #errors = 0
  #idle = 0
  #authFailures = 0
  #recipientFailures = 0
  #mistakes = 0

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Each of these answers the last reply of the session once the budget is spent. */
  error(): Defer | undefined {
    this.#mistakes += 1
    return ++this.#errors >= this.#limits.errors ? tooManyErrors : undefined
  }
  idleCommand(): Defer | undefined {
    return ++this.#idle > this.#limits.idleCommands ? tooManyCommands : undefined
  }
  authFailure(): Defer | undefined {
    this.#mistakes += 3
    return ++this.#authFailures >= this.#limits.authFailures ? tooManyAuthenticationFailures : undefined
  }
  recipientFailure(): Defer | undefined {
    this.#mistakes += 1
    return ++this.#recipientFailures >= this.#limits.recipientFailures ? tooManyErrors : undefined
  }
  /** How long the answer to the mistake at hand waits, in ms. */
  get delayMs(): number {
    const { tarpitAfter, tarpitMs } = this.#limits
    return tarpitMs * Math.min(Math.max(0, this.#mistakes - tarpitAfter), MOST_STEPS)
  }
  /** A message was accepted: the session is of use. Guesses at mailboxes and passwords stay counted. */
  message(): void {
    this.#errors = 0
    this.#idle = 0
  }
}
