import { headerEnd } from '@posthorn/message'

/** A header section with its empty line, and what came behind it in the same piece. */
export interface Collected {
  readonly block: Uint8Array
  readonly rest: Uint8Array
}

/**
 * Gathers the header section as it comes. Mostly it is all in the first piece, and then nothing is copied; otherwise a buffer
 * grows by doubling, so that a client that sends single octets costs linear work.
 */
export class HeaderCollector {
  #kept: Uint8Array = none
  #used = 0

  /** Octets gathered. */
  get size(): number {
    return this.#used
  }

  /** Take a piece of content; answers once the empty line has come. */
  add(content: Uint8Array): Collected | undefined {
    const before = this.#used
    if (before > 0) this.#keep(content)
    // Three octets of the empty line may have come before.
    const end = before === 0 ? headerEnd(content) : headerEnd(this.soFar(), Math.max(0, before - 3))
    if (end !== -1)
      return {
        block: before === 0 ? content.subarray(0, end) : this.#kept.subarray(0, end),
        rest: content.subarray(end - before),
      }
    if (before === 0) this.#keep(content)
    return undefined
  }
  /** What has come without an empty line; all of a message that has none. */
  soFar(): Uint8Array {
    return this.#kept.subarray(0, this.#used)
  }
  #keep(content: Uint8Array): void {
    const needed = this.#used + content.length
    if (this.#kept.length < needed) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.#kept.length))
      grown.set(this.soFar())
      this.#kept = grown
    }
    this.#kept.set(content, this.#used)
    this.#used = needed
  }
}
const none = new Uint8Array(0)
