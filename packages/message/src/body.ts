/**
 * Message bytes that can be read again and again.
 * `bytes` is there when the whole is in memory already; `open` always works and never holds the whole.
 * Chunks belong to the body: readers must not change them. Valid as long as its owner (a draft, a claim) is.
 */
export interface Body {
  /** In octets, CRLF line endings as on the wire, not dot-stuffed. */
  readonly size: number
  readonly bytes?: Uint8Array
  open(signal?: AbortSignal): AsyncIterable<Uint8Array>
}

/** A body over bytes in memory. */
export const bodyOf = (bytes: Uint8Array): Body => ({
  size: bytes.byteLength,
  bytes,
  async *open() {
    yield bytes
  },
})
