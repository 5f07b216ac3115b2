import type { Clock } from '@posthorn/contracts'

/**
 * One moment after which a session is over, moved on with every command. A timer is only touched when the moment comes nearer or
 * has come, so that moving it away costs nothing.
 */
export class Deadline {
  readonly #clock: Clock
  readonly #passed: () => void
  #due = Infinity
  #timerAt = Infinity
  #cancel: (() => void) | undefined

  constructor(clock: Clock, passed: () => void) {
    this.#clock = clock
    this.#passed = passed
  }

  /** Monotonic time, in milliseconds. */
  set(due: number): void {
    this.#due = due
    if (due < this.#timerAt) this.#arm()
  }
  clear(): void {
    this.#due = Infinity
    this.#cancel?.()
    this.#cancel = undefined
    this.#timerAt = Infinity
  }
  #arm(): void {
    this.#cancel?.()
    this.#timerAt = this.#due
    this.#cancel = this.#clock.after(Math.max(0, this.#due - this.#clock.monotonic()), () => this.#fired())
  }
  #fired(): void {
    this.#cancel = undefined
    this.#timerAt = Infinity
    if (this.#due === Infinity) return
    if (this.#due > this.#clock.monotonic()) this.#arm()
    else {
      this.#due = Infinity
      this.#passed()
    }
  }
}
