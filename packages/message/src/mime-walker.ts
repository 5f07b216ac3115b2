import { joinBytes } from './bytes.ts'
import { LineSplitter, type Piece } from './line-splitter.ts'
import { mimeEntity, type MimeEntity } from './mime-entity.ts'

/** Told what a message consists of, in order. All the pieces one after the other are the message, octet for octet. */
export interface MimeVisitor {
  /** A header with its empty line, of the message or of a part. */
  header(block: Uint8Array, entity: MimeEntity): void
  /** Content of the leaf whose header came last. `first`: a line begins here. */
  content(bytes: Uint8Array, first: boolean): void
  /** Preambles, delimiters and epilogues. */
  between(bytes: Uint8Array): void
}

/** What a walk may cost; a message beyond it is not understood. */
const MAX_HEADER = 1_048_576
const MAX_DEPTH = 64
const MAX_ENTITIES = 10_000

interface Level {
  readonly delimiter: string
  readonly digest: boolean
}

const CRLF = Uint8Array.of(13, 10)
const DASH = 45

const latin1 = (bytes: Uint8Array): string => {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}

/** Walks the structure of a message as it streams by (RFC 2046 §5.1), in bounded memory. */
export class MimeWalker {
  readonly #visitor: MimeVisitor
  readonly #lines = new LineSplitter()
  readonly #levels: Level[] = []
  #state: 'header' | 'content' | 'between' = 'header'
  #header: Uint8Array[] = []
  #headerSize = 0
  #entities = 0
  #inDigest = false
  #root = true
  /** A line end of the content was not passed on yet: it belongs to the delimiter, if one follows. */
  #held = false
  #lineBegins = true
  #fault: string | undefined

  constructor(visitor: MimeVisitor) {
    this.#visitor = visitor
  }

  /** Why the structure cannot be followed, once that is so; nothing more is told then. */
  get fault(): string | undefined {
    return this.#fault
  }
  push(chunk: Uint8Array): void {
    this.#lines.push(chunk, this.#each)
  }
  end(): void {
    this.#lines.end(this.#each)
    if (this.#fault !== undefined) return
    if (this.#state === 'header') this.#headerEnds()
    if (this.#held) this.#visitor.content(CRLF, false)
    this.#held = false
  }

  readonly #each = (piece: Piece): void => {
    if (this.#fault !== undefined) return
    const at = this.#delimiterAt(piece)
    if (at !== undefined) this.#delimiter(at, piece.bytes)
    else if (this.#state === 'header') this.#headerLine(piece)
    else if (this.#state === 'between') this.#visitor.between(piece.bytes)
    else this.#content(piece)
  }
  /** Which open multipart the line delimits. */
  #delimiterAt({ bytes, first }: Piece): number | undefined {
    if (!first || this.#levels.length === 0 || bytes[0] !== DASH || bytes[1] !== DASH || bytes.length > 300)
      return undefined
    const line = latin1(bytes).trimEnd()
    const at = this.#levels.findLastIndex(({ delimiter: d }) => line === d || line === `${d}--`)
    return at === -1 ? undefined : at
  }
  #delimiter(at: number, line: Uint8Array): void {
    if (this.#state === 'header') this.#headerEnds()
    this.#visitor.between(this.#held ? joinBytes([CRLF, line]) : line)
    this.#held = false
    this.#levels.length = at + 1
    const { delimiter, digest } = this.#levels[at]!
    this.#inDigest = digest
    this.#state = latin1(line).trimEnd() === delimiter ? 'header' : 'between'
    if (this.#state === 'between') this.#levels.length = at
    this.#root = false
  }

  #headerLine({ bytes, first, last }: Piece): void {
    this.#header.push(bytes)
    this.#headerSize += bytes.length
    if (this.#headerSize > MAX_HEADER) this.#fault = 'a header is too long'
    else if (first && last && bytes.length === 2) this.#headerEnds()
  }
  #headerEnds(): void {
    const block = joinBytes(this.#header)
    this.#header = []
    this.#headerSize = 0
    const entity = mimeEntity(block, { index: this.#entities++, root: this.#root, inDigest: this.#inDigest })
    if (this.#entities > MAX_ENTITIES) this.#fault = 'it has too many parts'
    if (this.#levels.length >= MAX_DEPTH) this.#fault = 'its parts are nested too deep'
    this.#visitor.header(block, entity)
    this.#inDigest = false
    this.#root = entity.kind === 'message'
    this.#state = entity.kind === 'leaf' ? 'content' : entity.kind === 'message' ? 'header' : 'between'
    this.#lineBegins = true
    if (entity.kind === 'multipart')
      this.#levels.push({ delimiter: `--${entity.boundary}`, digest: entity.type === 'multipart/digest' })
  }
  #content({ bytes, last }: Piece): void {
    if (this.#held) this.#visitor.content(CRLF, false)
    this.#held = last
    const text = last ? bytes.subarray(0, -2) : bytes
    if (text.length > 0) this.#visitor.content(text, this.#lineBegins)
    this.#lineBegins = last
  }
}
