/**
 * What one side says to the other, by its number on the wire. `hello` opens a connection; `ask` is answered by `answer` or `failure`
 * under the same id. `begin` opens a draft, whose content follows in chunks; `read` asks for content, which comes in chunks up to `end`.
 * `credit` lets the other side send so many octets more of a draft or of content.
 */
const kinds = {
  hello: 1,
  ask: 2,
  answer: 3,
  failure: 4,
  begin: 5,
  chunk: 6,
  end: 7,
  read: 8,
  credit: 9,
  cancel: 10,
  wake: 11,
  members: 12,
} as const
export type Kind = keyof typeof kinds

/** One frame. `about` is undefined where the kind says everything; `octets` are message content and may share memory with others. */
export interface Frame {
  readonly kind: Kind
  /** Of a question, a draft or a reading; chosen by the client, 0 for none. */
  readonly id: number
  readonly about: unknown
  readonly octets: Uint8Array
}

/** Octets of a whole frame; a longer one is no frame of ours. */
const longestFrame = 32 * 1024 * 1024
/** Length of what follows it, kind, id, length of the JSON: four, one, four and four octets, the greatest first. */
const headerLength = 13
/** Content up to this size is copied behind its header, which costs less than a second write. */
const copied = 4096

const byNumber: ReadonlyMap<number, Kind> = new Map(Object.entries(kinds).map(([kind, n]) => [n, kind as Kind]))

/** What is wrong with octets that are no frame. */
class FrameError extends Error {
  override readonly name = 'FrameError'
}

/** The pieces of a frame, to be written one after the other. Throws RangeError when it would be too long. */
export const encodeFrame = (
  kind: Kind,
  id: number,
  about?: unknown,
  octets: readonly Uint8Array[] = [],
): readonly Uint8Array[] => {
  const json = about === undefined ? '' : JSON.stringify(about)
  const jsonLength = Buffer.byteLength(json)
  let size = 0
  for (const part of octets) size += part.byteLength
  const length = headerLength + jsonLength + size
  if (length > longestFrame)
    throw new RangeError(`a frame of ${length} octets; at most ${longestFrame} are sent at once`)
  const alone = size > copied
  const head = Buffer.allocUnsafe(headerLength + jsonLength + (alone ? 0 : size))
  head.writeUInt32BE(length - 4, 0)
  head.writeUInt8(kinds[kind], 4)
  head.writeUInt32BE(id, 5)
  head.writeUInt32BE(jsonLength, 9)
  head.write(json, headerLength)
  if (alone) return [head, ...octets]
  let at = headerLength + jsonLength
  for (const part of octets) {
    head.set(part, at)
    at += part.byteLength
  }
  return [head]
}

/** Cuts what comes in into frames. */
export class FrameReader {
  #parts: Buffer[] = []
  #size = 0
  /** Octets of the frame that is coming in, once its length is known. */
  #wanted = 4

  /** The frames that are whole now. Throws FrameError at the first octets that can be none; nothing may be pushed after that. */
  push(chunk: Buffer): readonly Frame[] {
    this.#parts.push(chunk)
    this.#size += chunk.byteLength
    const frames: Frame[] = []
    while (this.#size >= this.#wanted) {
      const bytes = this.#joined()
      const length = bytes.readUInt32BE(0) + 4
      if (length < headerLength || length > longestFrame) throw new FrameError(`a frame of ${length} octets`)
      this.#wanted = length
      if (bytes.byteLength < length) break
      frames.push(decode(bytes.subarray(0, length)))
      this.#parts = bytes.byteLength === length ? [] : [bytes.subarray(length)]
      this.#size -= length
      this.#wanted = 4
    }
    return frames
  }

  /** All of it in one piece; joined no more than twice for a frame, however many pieces it comes in. */
  #joined(): Buffer {
    const [first] = this.#parts
    if (this.#parts.length === 1 && first !== undefined) return first
    const joined = Buffer.concat(this.#parts)
    this.#parts = [joined]
    return joined
  }
}

const decode = (bytes: Buffer): Frame => {
  const kind = byNumber.get(bytes.readUInt8(4))
  const id = bytes.readUInt32BE(5)
  const end = headerLength + bytes.readUInt32BE(9)
  if (kind === undefined) throw new FrameError(`a frame of kind ${bytes.readUInt8(4)}`)
  if (end > bytes.byteLength) throw new FrameError('a frame shorter than what it says of itself')
  return { kind, id, about: end === headerLength ? undefined : parse(bytes, end), octets: bytes.subarray(end) }
}

const parse = (bytes: Buffer, end: number): unknown => {
  try {
    return JSON.parse(bytes.toString('utf8', headerLength, end)) as unknown
  } catch {
    throw new FrameError('a frame without its JSON')
  }
}
