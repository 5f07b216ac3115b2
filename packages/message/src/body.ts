import { joinBytes } from './bytes.ts'

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
export const bodyOf = (bytes: Uint8Array): Body => new BytesBody(bytes)

class BytesBody implements Body {
  readonly size: number
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.size = bytes.byteLength
    this.bytes = bytes
  }
  async *open(): AsyncGenerator<Uint8Array> {
    if (this.size > 0) yield this.bytes
  }
}

/** In memory on both sides: the whole is joined once, when somebody asks for it, not before. */
class JoinedBody implements Body {
  readonly size: number
  readonly #head: Uint8Array
  readonly #bytes: Uint8Array
  #whole: Uint8Array | undefined

  constructor(head: Uint8Array, bytes: Uint8Array) {
    this.size = head.byteLength + bytes.byteLength
    this.#head = head
    this.#bytes = bytes
  }
  get bytes(): Uint8Array {
    return (this.#whole ??= joinBytes([this.#head, this.#bytes]))
  }
  get pieces(): readonly Uint8Array[] {
    return [this.#head, this.#bytes]
  }
  async *open(): AsyncGenerator<Uint8Array> {
    yield this.#head
    if (this.#bytes.byteLength > 0) yield this.#bytes
  }
}

/** A header block and what follows it, as one body. Both must live as long as the result. */
export const concatBody = (head: Uint8Array, body: Body): Body => {
  if (head.byteLength === 0) return body
  if (body.bytes !== undefined) return new JoinedBody(head, body.bytes)
  return {
    size: head.byteLength + body.size,
    async *open(signal) {
      yield head
      yield* body.open(signal)
    },
  }
}

/** A body that is in memory as a whole, in pieces that are not joined for this; undefined when it is not. */
export const piecesOf = (body: Body): readonly Uint8Array[] | undefined => {
  if (body instanceof JoinedBody) return body.pieces
  return body.bytes === undefined ? undefined : [body.bytes]
}

/** The whole of a body in memory. Rejects with RangeError when it has more than `limit` octets, whatever it said of its size. */
export const readAll = async (body: Body, limit: number, signal?: AbortSignal): Promise<Uint8Array> => {
  if (body.size > limit) throw new RangeError(`body of ${body.size} octets is over the limit of ${limit}`)
  if (body.bytes !== undefined) return body.bytes
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body.open(signal)) {
    size += chunk.byteLength
    if (size > limit) throw new RangeError(`body is over the limit of ${limit} octets`)
    chunks.push(chunk)
  }
  return joinBytes(chunks)
}
