import type { ContentFault, ContentReader } from './content-reader.ts'

const NUL = 0
const LF = 10
const CR = 13
const DOT = 46

/** Where in a line the reader stands. The dot that begins a line is held back until it is known what it is. */
const within = 0
const afterCr = 1
const atStart = 2
const afterDot = 3
const afterDotCr = 4

/** A run shorter than this is copied byte by byte: calling `set` costs more. */
const SHORT = 48

/**
 * Takes the dot-stuffing off a message and finds its end, which is CR LF . CR LF and nothing else (RFC 5321 §4.5.2): what other
 * servers have taken for it is how mail was smuggled past them. A fault does not end the message either; it is read on to its
 * real end and refused there. One pass over the octets, so its cost does not depend on what they are.
 */
export class DataReader implements ContentReader {
  fault: ContentFault | undefined
  /** A view of the chunk where nothing was removed from its middle. */
  content: Uint8Array = none
  size = 0
  readonly last = true
  #state = atStart

  push(chunk: Uint8Array, from: number): number {
    const runs = new Runs(chunk, from)
    const end = this.#scan(chunk, from, runs)
    this.content = runs.content(chunk)
    this.size += this.content.length
    return end
  }

  /** The hot loop. Most octets are greater than CR and are passed over by the first comparison. */
  #scan(chunk: Uint8Array, from: number, runs: Runs): number {
    const length = chunk.length
    let state = this.#state
    let start = from
    let at = from
    while (at < length) {
      let octet = chunk[at] as number
      if (state === within) {
        while (octet > CR && ++at < length) octet = chunk[at] as number
        if (at === length) break
        at += 1
        if (octet === CR) state = afterCr
        else if (octet === LF) this.fault ??= 'bare-lf'
        else if (octet === NUL) this.fault ??= 'nul'
      } else if (state === atStart) {
        state = within
        if (octet !== DOT) continue
        runs.add(chunk, start, at)
        start = ++at
        state = afterDot
      } else if (octet === LF && state !== afterDot) {
        at += 1
        if (state === afterDotCr) {
          this.#state = atStart
          return at
        }
        state = atStart
      } else if (octet === CR && state === afterDot) {
        start = ++at
        state = afterDotCr
      } else {
        // A dot that was stuffing, or a CR without its LF: the octet at hand is looked at again as part of the line.
        if (state !== afterDot) this.fault ??= 'bare-cr'
        state = within
      }
    }
    runs.add(chunk, start, length)
    this.#state = state
    return -1
  }
}

const none = new Uint8Array(0)

/** The pieces of a chunk that are content. The first stays a view; from the second on they are copied together. */
class Runs {
  readonly #room: number
  #from = 0
  #to = 0
  #copy: Uint8Array | undefined
  #used = 0

  constructor(chunk: Uint8Array, from: number) {
    this.#room = chunk.length - from
  }
  add(chunk: Uint8Array, from: number, to: number): void {
    if (from === to) return
    if (this.#to === 0) {
      this.#from = from
      this.#to = to
      return
    }
    if (this.#copy === undefined) {
      this.#copy = new Uint8Array(this.#room)
      this.#append(this.#copy, chunk, this.#from, this.#to)
    }
    this.#append(this.#copy, chunk, from, to)
  }
  #append(copy: Uint8Array, chunk: Uint8Array, from: number, to: number): void {
    let used = this.#used
    if (to - from < SHORT) for (let at = from; at < to; at += 1) copy[used++] = chunk[at] as number
    else {
      copy.set(chunk.subarray(from, to), used)
      used += to - from
    }
    this.#used = used
  }
  content(chunk: Uint8Array): Uint8Array {
    if (this.#copy !== undefined) return this.#copy.subarray(0, this.#used)
    return this.#to === 0 ? none : chunk.subarray(this.#from, this.#to)
  }
}
