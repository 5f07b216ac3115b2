import { joinBytes } from './bytes.ts'

/** One field with its original bytes, folding and line ending included. */
export interface HeaderField {
  /** As written, such as `Message-ID`; empty when the line is no field (no colon, or an impossible name). */
  readonly name: string
  readonly raw: Uint8Array
}

/** A header block that keeps the bytes of every field (RFC 5322 §2.2); edits make new blocks. Names compare without case. */
export interface Headers {
  readonly fields: readonly HeaderField[]
  /** Unfolded, trimmed values of all fields of that name, topmost first. UTF-8, invalid bytes replaced. */
  all(name: string): readonly string[]
  /** The topmost value. */
  first(name: string): string | undefined
  /** How many fields have that name; `''` counts the lines that are no fields. Decodes nothing. */
  count(name: string): number
  /** Lower-case names in order of appearance, repeated as the fields are. */
  names(): readonly string[]
}

const TAB = 9
const LF = 10
const CR = 13
const SPACE = 32
const COLON = 58
const CRLF = Uint8Array.of(CR, LF)
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

const latin1 = (bytes: Uint8Array, from: number, to: number): string => {
  let text = ''
  for (let at = from; at < to; at += 1) text += String.fromCharCode(bytes[at] ?? 0)
  return text
}

/** Where the name of the field at `from` ends; `from` itself when the line is no field. Reads no further than the name. */
const nameEnd = (bytes: Uint8Array, from: number, to: number): number => {
  let end = from
  // ftext (RFC 5322 §3.6.8): printable ASCII but the colon.
  while (end < to && bytes[end] !== COLON && (bytes[end] ?? 0) > SPACE && (bytes[end] ?? 0) < 127) end += 1
  let colon = end
  // `From : x` is obsolete syntax (RFC 5322 §4.5.8) and must not hide a second From from policy.
  while (colon < to && (bytes[colon] === SPACE || bytes[colon] === TAB)) colon += 1
  return colon < to && bytes[colon] === COLON ? end : from
}

/** Whether an empty line stands at `at` and nothing follows. */
const isFinalEmptyLine = (bytes: Uint8Array, at: number): boolean =>
  (at === bytes.length - 1 && bytes[at] === LF) || (at === bytes.length - 2 && bytes[at] === CR && bytes[at + 1] === LF)

const endsInEmptyLine = (bytes: Uint8Array): boolean => {
  const last = bytes.length - (bytes[bytes.length - 2] === CR ? 2 : 1)
  return isFinalEmptyLine(bytes, last) && (last === 0 || bytes[last - 1] === LF)
}

/** Where each field begins and its name ends, in pairs, then where the last one ends. One linear pass. */
const scan = (bytes: Uint8Array): readonly number[] => {
  const marks: number[] = []
  let at = 0
  while (at < bytes.length && !isFinalEmptyLine(bytes, at)) {
    const lineEnd = bytes.indexOf(LF, at)
    let end = lineEnd === -1 ? bytes.length : lineEnd + 1
    marks.push(at, nameEnd(bytes, at, end))
    while (end < bytes.length && (bytes[end] === SPACE || bytes[end] === TAB)) {
      const next = bytes.indexOf(LF, end)
      end = next === -1 ? bytes.length : next + 1
    }
    at = end
  }
  marks.push(at)
  return marks
}

/** One block of bytes, looked into only when asked. */
class Block implements Headers {
  readonly bytes: Uint8Array
  #marks: readonly number[] | undefined
  #fields: readonly HeaderField[] | undefined

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  get #scanned(): readonly number[] {
    return (this.#marks ??= scan(this.bytes))
  }

  get fields(): readonly HeaderField[] {
    this.#fields ??= this.#each((from, colon, end) => ({
      name: latin1(this.bytes, from, colon),
      raw: this.bytes.subarray(from, end),
    }))
    return this.#fields
  }

  all(name: string): readonly string[] {
    const found: string[] = []
    for (let at = this.#next(name, 0); at !== -1; at = this.#next(name, at + 2)) found.push(this.#value(at))
    return found
  }

  first(name: string): string | undefined {
    const at = this.#next(name, 0)
    return at === -1 ? undefined : this.#value(at)
  }

  count(name: string): number {
    let count = 0
    for (let at = this.#next(name, 0); at !== -1; at = this.#next(name, at + 2)) count += 1
    return count
  }

  names(): readonly string[] {
    return this.#each((from, colon) => latin1(this.bytes, from, colon).toLowerCase())
  }

  /** The bytes of the fields that are not named so, without the empty line. */
  without(names: ReadonlySet<string>): readonly Uint8Array[] {
    const kept: Uint8Array[] = []
    const marks = this.#scanned
    let keptFrom = 0
    for (let at = 0; at + 2 < marks.length; at += 2) {
      const from = marks[at] ?? 0
      if (!names.has(latin1(this.bytes, from, marks[at + 1] ?? 0).toLowerCase())) continue
      if (from > keptFrom) kept.push(this.bytes.subarray(keptFrom, from))
      keptFrom = marks[at + 2] ?? 0
    }
    const end = marks[marks.length - 1] ?? 0
    if (end > keptFrom) kept.push(this.bytes.subarray(keptFrom, end))
    return kept
  }

  /** The whole, with the empty line. Looks at the last bytes only. */
  render(): Uint8Array {
    if (endsInEmptyLine(this.bytes)) return this.bytes
    const { length } = this.bytes
    const open = length > 0 && this.bytes[length - 1] !== LF
    return joinBytes(open ? [this.bytes, CRLF, CRLF] : [this.bytes, CRLF])
  }

  #each<T>(make: (from: number, colon: number, end: number) => T): readonly T[] {
    const marks = this.#scanned
    const made: T[] = []
    for (let at = 0; at + 2 < marks.length; at += 2)
      made.push(make(marks[at] ?? 0, marks[at + 1] ?? 0, marks[at + 2] ?? 0))
    return made
  }

  /** The first field of that name at mark `at` or after it. */
  #next(name: string, at: number): number {
    const marks = this.#scanned
    const sought = name.toLowerCase()
    for (let i = at; i + 2 < marks.length; i += 2) if (this.#isNamed(marks[i] ?? 0, marks[i + 1] ?? 0, sought)) return i
    return -1
  }

  #isNamed(from: number, colon: number, lowerCase: string): boolean {
    if (colon - from !== lowerCase.length) return false
    for (let at = from; at < colon; at += 1) {
      const byte = this.bytes[at] ?? 0
      const lower = byte > 64 && byte < 91 ? byte + 32 : byte
      if (lower !== lowerCase.charCodeAt(at - from)) return false
    }
    return true
  }

  #value(at: number): string {
    const marks = this.#scanned
    const colon = marks[at + 1] ?? 0
    const begin = colon === marks[at] ? colon : this.bytes.indexOf(COLON, colon) + 1
    let end = marks[at + 2] ?? 0
    if (end > begin && this.bytes[end - 1] === LF) end -= this.bytes[end - 2] === CR ? 2 : 1
    const text = decoder.decode(this.bytes.subarray(begin, Math.max(begin, end)))
    if (!/[\r\n]/.test(text)) return text.trim()
    // Unfolding takes away the CRLF only (RFC 5322 §2.2.3). A bare CR must not glue two words together.
    return text.replaceAll(/\r?\n/g, '').replaceAll('\r', ' ').trim()
  }
}

/**
 * A header block from its bytes, up to and with the empty line if there is one. Never throws, and costs nothing until looked
 * into, then one linear pass. The bytes are kept, not copied: they must not change. A line without a colon, a first line that
 * begins with a space, and an empty line before the end are kept as fields with the empty name.
 */
export const parseHeaders = (block: Uint8Array): Headers => new Block(block)

/** No fields. */
export const emptyHeaders: Headers = new Block(CRLF)

const asBlock = (headers: Headers): Block =>
  headers instanceof Block ? headers : new Block(joinBytes([...headers.fields.map(f => f.raw), CRLF]))

/** The bytes to send, with the empty line (which is added when the block had none). Not a copy where none is needed. */
export const renderHeaders = (headers: Headers): Uint8Array => asBlock(headers).render()

/** What `withFields` does to a block. */
export interface FieldEdit {
  /** Put on top, in this order. */
  readonly prepend?: readonly HeaderField[]
  /** Names of which every field goes. */
  readonly remove?: readonly string[]
}

/** A new block: some fields gone, some on top, every other byte as it was. */
export const withFields = (headers: Headers, edit: FieldEdit): Headers => {
  const block = asBlock(headers)
  const added = (edit.prepend ?? []).map(f => f.raw)
  const remove = edit.remove ?? []
  if (remove.length === 0) return added.length === 0 ? headers : new Block(joinBytes([...added, block.render()]))
  const kept = block.without(new Set(remove.map(n => n.toLowerCase())))
  const last = kept.at(-1)
  const open = last !== undefined && last[last.length - 1] !== LF
  return new Block(joinBytes(open ? [...added, ...kept, CRLF, CRLF] : [...added, ...kept, CRLF]))
}
