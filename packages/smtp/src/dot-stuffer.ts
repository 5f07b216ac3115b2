const CR = 0x0d
const LF = 0x0a
const DOT = 0x2e

/** What stood last: anything else, a CR, or CR LF (or nothing at all). */
const middle = 0
const afterCr = 1
const lineStart = 2

const finalDot: Uint8Array = new Uint8Array([DOT, CR, LF])
const lineEndAndFinalDot: Uint8Array = new Uint8Array([CR, LF, DOT, CR, LF])

/** A copy with one dot more before each of the positions, which ascend. */
const doubled = (chunk: Uint8Array, dots: readonly number[]): Uint8Array => {
  const out = new Uint8Array(chunk.length + dots.length)
  const first = dots[0]!
  out.set(chunk.subarray(0, first))
  let to = first
  let next = 0
  // Byte by byte: where dots are dense, a copy per line would cost many times as much.
  for (let from = first; from < chunk.length; from++) {
    if (from === dots[next]) {
      out[to++] = DOT
      next++
    }
    out[to++] = chunk[from]!
  }
  return out
}

/**
 * Makes content fit for DATA (RFC 5321 §4.5.2): one dot more where a line begins with a dot, CR LF at the end, then the final dot.
 * Streams; a chunk without such a line is passed on as it is. One per message.
 */
export class DotStuffer {
  #state = lineStart
  #bare = false

  /**
   * Whether the content so far holds a CR or LF outside a CR LF. Such a message must not get its final dot (RFC 5321 §2.3.8): a
   * peer that takes a bare LF for a line end would read a second message out of it. Send it by BDAT, or break off.
   */
  get bare(): boolean {
    return this.#bare
  }

  /** The chunk itself, or a copy with dots doubled. The chunk must not change before it is written. */
  push(chunk: Uint8Array): readonly Uint8Array[] {
    if (chunk.length === 0) return []
    const dots = this.#scan(chunk)
    return [dots.length === 0 ? chunk : doubled(chunk, dots)]
  }

  /** What ends the content: a CR LF if it lacks one, and the final dot. The last call. */
  end(): Uint8Array {
    if (this.#state === afterCr) this.#bare = true
    return this.#state === lineStart ? finalDot : lineEndAndFinalDot
  }

  /** Where dots have to be doubled, in ascending order. Most octets are greater than CR and are passed over by the first comparison. */
  #scan(chunk: Uint8Array): readonly number[] {
    const dots: number[] = []
    const { length } = chunk
    let state = this.#state
    let bare = this.#bare
    for (let i = 0; i < length; i++) {
      let octet = chunk[i]!
      if (state === middle) {
        while (octet > CR && ++i < length) octet = chunk[i]!
        if (i === length) break
      } else if (state === lineStart && octet === DOT) dots.push(i)
      if (state === afterCr ? octet !== LF : octet === LF) bare = true
      if (octet === CR) state = afterCr
      else state = state === afterCr && octet === LF ? lineStart : middle
    }
    this.#state = state
    this.#bare = bare
    return dots
  }
}
