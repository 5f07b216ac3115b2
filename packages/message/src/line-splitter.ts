import { joinBytes } from './bytes.ts'

const CR = 13
const LF = 10

/** No boundary line is longer (RFC 2046 §5.1.1: 70 characters); longer lines come in pieces. */
const LONGEST = 4096

/** A line with its CR LF, or a piece of a long one. */
export interface Piece {
  readonly bytes: Uint8Array
  /** A line begins with it. */
  readonly first: boolean
  /** It ends with CR LF. */
  readonly last: boolean
}

const nothing = new Uint8Array()

/** Cuts chunks into lines; a bare CR or LF is no line end. Keeps at most one short line. */
export class LineSplitter {
  #rest: Uint8Array = nothing
  #first = true

  push(chunk: Uint8Array, each: (piece: Piece) => void): void {
    const bytes = this.#rest.length === 0 ? chunk : joinBytes([this.#rest, chunk])
    let from = 0
    // The rest holds no line end, but may end with the CR of one.
    let lf = bytes.indexOf(LF, this.#rest.length)
    while (lf !== -1) {
      if (lf > from && bytes[lf - 1] === CR) {
        each({ bytes: bytes.subarray(from, lf + 1), first: this.#first, last: true })
        this.#first = true
        from = lf + 1
      }
      lf = bytes.indexOf(LF, lf + 1)
    }
    this.#rest = bytes.subarray(from)
    if (this.#rest.length > LONGEST) each(this.#cut())
  }
  /** A piece of a long line; a CR at its end waits for its LF. */
  #cut(): Piece {
    const end = this.#rest.length - (this.#rest[this.#rest.length - 1] === CR ? 1 : 0)
    const piece: Piece = { bytes: this.#rest.subarray(0, end), first: this.#first, last: false }
    this.#rest = this.#rest.subarray(end)
    this.#first = false
    return piece
  }
  /** What is left when there are no more chunks. */
  end(each: (piece: Piece) => void): void {
    if (this.#rest.length > 0) each({ bytes: this.#rest, first: this.#first, last: false })
    this.#rest = nothing
  }
}
