/** What has been opened so far, to be closed in the opposite order. */
export class Opened {
  readonly #close: (() => unknown)[] = []

  add(close: () => unknown): void {
    this.#close.push(close)
  }

  /** Close everything, whatever goes wrong with one of them. Idempotent; never rejects. */
  async close(): Promise<void> {
    for (let next = this.#close.pop(); next !== undefined; next = this.#close.pop()) {
      try {
        await next()
      } catch {
        // It is given up either way, and the others must not stay open for it.
      }
    }
  }
}
