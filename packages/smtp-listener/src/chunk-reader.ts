import { LineCheck } from './line-check.ts'
import type { ContentFault, ContentReader } from './content-reader.ts'

/**
 * Counts the octets of BDAT chunks (RFC 3030 §2). They are content as they come; what is no line is a fault as after DATA, unless the
 * message is binary (RFC 3030 §3).
 */
export class ChunkReader implements ContentReader {
  content: Uint8Array = none
  size = 0
  last = false
  readonly #check: LineCheck | undefined
  #left = 0

  constructor(binary: boolean) {
    this.#check = binary ? undefined : new LineCheck()
  }

  get fault(): ContentFault | undefined {
    return this.#check?.fault
  }
  /** So many octets of the next chunk are content, whatever they are. */
  expect(size: number, last: boolean): void {
    this.#left = size
    this.last = last
  }
  push(chunk: Uint8Array, from: number): number {
    const to = Math.min(chunk.length, from + this.#left)
    const piece = chunk.subarray(from, to)
    this.#left -= piece.length
    this.size += piece.length
    const ended = this.#left === 0
    this.#check?.look(piece)
    if (ended && this.last) this.#check?.end()
    this.content = piece
    return ended ? to : -1
  }
}
const none = new Uint8Array(0)
