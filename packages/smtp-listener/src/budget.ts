import { tooManyAuthenticationFailures, tooManyCommands, tooManyErrors } from '@posthorn/reply'
import type { Defer } from '@posthorn/reply'
import type { Limits } from './limits.ts'

/** What a session has left of each thing that costs us and brings no mail. */
export class Budget {
  readonly #limits: Limits
  #errors = 0
  #idle = 0
  #authFailures = 0
  #recipientFailures = 0

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Each of these answers the last reply of the session once the budget is spent. */
  error(): Defer | undefined {
    return ++this.#errors >= this.#limits.errors ? tooManyErrors : undefined
  }
  idleCommand(): Defer | undefined {
    return ++this.#idle > this.#limits.idleCommands ? tooManyCommands : undefined
  }
  authFailure(): Defer | undefined {
    return ++this.#authFailures >= this.#limits.authFailures ? tooManyAuthenticationFailures : undefined
  }
  recipientFailure(): Defer | undefined {
    return ++this.#recipientFailures >= this.#limits.recipientFailures ? tooManyErrors : undefined
  }
  /** A message was accepted: the session is of use. Guesses at mailboxes and passwords stay counted. */
  message(): void {
    this.#errors = 0
    this.#idle = 0
  }
}
