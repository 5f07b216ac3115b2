import type { Clock } from '@posthorn/contracts'

const HOUR = 3_600_000
/** More peers than can be at fault at once. */
const MOST = 1000

/** Peers that offered CHUNKING and went wrong on BDAT, by the keys of their targets: for an hour they get DATA. */
export class Unchunked {
  readonly #clock: Pick<Clock, 'monotonic'>
  /** Until when; in the order in which they were noted. */
  readonly #until = new Map<string, number>()

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
  }

  has(key: string): boolean {
    const until = this.#until.get(key)
    if (until === undefined) return false
    if (this.#clock.monotonic() < until) return true
    this.#until.delete(key)
    return false
  }
  note(key: string): void {
    this.#until.delete(key)
    this.#until.set(key, this.#clock.monotonic() + HOUR)
    for (const oldest of this.#until.keys()) {
      if (this.#until.size <= MOST) return
      this.#until.delete(oldest)
    }
  }
}
