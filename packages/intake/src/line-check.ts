const CR = 13
const LF = 10

/** Looks at content as it flows by: whether every line ends in CRLF, and whether eight bits are needed. */
export class LineCheck {
  #afterCr = false
  #bare = false
  #eight = false

  push(chunk: Uint8Array): void {
    for (const byte of chunk) {
      if (this.#afterCr !== (byte === LF)) this.#bare = true
      this.#afterCr = byte === CR
      if (byte > 127) this.#eight = true
    }
  }

  /** A CR or LF stood alone: what follows could be read as another line, or another message, by somebody else. */
  get bare(): boolean {
    return this.#bare || this.#afterCr
  }
  get eightBit(): boolean {
    return this.#eight
  }
}
