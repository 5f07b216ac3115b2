/** What content may not contain: a line end that is not CR LF (RFC 5321 §2.3.8), or NUL (RFC 2045 §2.7, §2.8). */
export type ContentFault = 'bare-lf' | 'bare-cr' | 'nul'

/** Finds where the content of a message ends in what comes in: by its dot after DATA, by its count after BDAT. */
export interface ContentReader {
  /** The first fault met. Content that was handed out until then is part of a message to be refused. */
  readonly fault: ContentFault | undefined
  /** What the last `push` made of it: a view of the chunk where that is possible. */
  readonly content: Uint8Array
  /** Octets of content so far. */
  readonly size: number
  /** Whether the end that is awaited is that of the message, not of one of its chunks. */
  readonly last: boolean
  /** Read a chunk from `from` on. Answers the index of the first octet behind the end; -1 when it goes on. */
  push(chunk: Uint8Array, from: number): number
}
