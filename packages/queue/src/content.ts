import type { Body } from '@posthorn/message'

/** Opens the content that follows the head, in pieces. */
export type OpenFile = (signal?: AbortSignal) => AsyncIterable<Uint8Array>

/** A body of a head in memory and a file. */
export const headAndFile = (head: Uint8Array, size: number, open: OpenFile): Body => ({
  size,
  async *open(signal) {
    if (head.byteLength > 0) yield head
    yield* open(signal)
  },
})
