/** Counts work under way and tells when there is none. */
export class Idle {
  #count = 0
  #waiting: (() => void)[] = []

  get count(): number {
    return this.#count
  }
  begin(): void {
    this.#count++
  }
  end(): void {
    this.#count--
    if (this.#count === 0) for (const resolve of this.#waiting.splice(0)) resolve()
  }
  /** Count a piece of work while it lasts. What it throws is a bug and is passed on. */
  async during<T>(work: Promise<T>): Promise<T> {
    this.begin()
    try {
      return await work
    } finally {
      this.end()
    }
  }
  /** Resolves when nothing is under way; at once when nothing is. */
  reached(): Promise<void> {
    return this.#count === 0 ? Promise.resolve() : new Promise(resolve => this.#waiting.push(resolve))
  }
}
