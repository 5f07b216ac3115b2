const CR = 0x0d
const LF = 0x0a

/**
 * Looks whether content is made of lines that end in CR LF (RFC 5321 §2.3.8), for what sends it without changing it. One per message;
 * the cuts between chunks do not matter.
 */
export class LineEnds {
  /** What stood last; a message begins where a line does. */
  #last = LF
  #bare = false

  /** Whether the content so far holds a CR or LF outside a CR LF. */
  get bare(): boolean {
    return this.#bare
  }
  /** Whether the content so far ends where a line does, or is empty. */
  get complete(): boolean {
    return this.#last === LF
  }

  /** The hot loop. Most octets are greater than CR and are passed over by the first comparison. */
  push(chunk: Uint8Array): void {
    const { length } = chunk
    if (length === 0) return
    let afterCr = this.#last === CR
    let bare = this.#bare
    for (let i = 0; i < length; i++) {
      let octet = chunk[i]!
      if (!afterCr) {
        while (octet > CR && ++i < length) octet = chunk[i]!
        if (i === length) break
      }
      if ((octet === LF) !== afterCr) bare = true
      afterCr = octet === CR
    }
    this.#last = chunk[length - 1]!
    this.#bare = bare
  }
  /** The last call: nothing follows. */
  end(): void {
    if (this.#last === CR) this.#bare = true
  }
}
