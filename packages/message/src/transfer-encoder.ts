/** Encodes content piece by piece, in lines of at most 76 characters (RFC 2045 §6.7, RFC 2045 §6.8). */
export interface TransferEncoder {
  push(bytes: Uint8Array): Uint8Array
  /** What was held back. No line end is added. */
  end(): Uint8Array
}

const CR = 13
const LF = 10
const TAB = 9
const SPACE = 32
const EQUALS = 61
const hexDigits: Uint8Array = Uint8Array.from('0123456789ABCDEF', c => c.charCodeAt(0))
const alphabet: Uint8Array = Uint8Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', c =>
  c.charCodeAt(0),
)

/** An array that grows by what is put into it. */
class Sink {
  #bytes: Uint8Array
  #size = 0
  constructor(room: number) {
    this.#bytes = new Uint8Array(room)
  }
  put(octet: number): void {
    if (this.#size === this.#bytes.length) {
      const larger = new Uint8Array(this.#size * 2 + 64)
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    this.#bytes[this.#size++] = octet
  }
  lineEnd(): void {
    this.put(CR)
    this.put(LF)
  }
  get all(): Uint8Array {
    return this.#bytes.subarray(0, this.#size)
  }
}

/** Quoted-printable; CR LF stays a line end, a bare CR or LF is encoded. */
export class QuotedPrintable implements TransferEncoder {
  #column = 0
  /** A blank or a CR of which the next octet decides how it is written. */
  #held = -1

  push(bytes: Uint8Array): Uint8Array {
    const out = new Sink(bytes.length + (bytes.length >> 2) + 16)
    for (const octet of bytes) this.#octet(octet, out)
    return out.all
  }
  end(): Uint8Array {
    const out = new Sink(8)
    if (this.#held !== -1) this.#escaped(this.#held, out)
    this.#held = -1
    return out.all
  }
  #octet(octet: number, out: Sink): void {
    const held = this.#held
    if (held !== -1) {
      this.#held = -1
      if (held === CR && octet === LF) return this.#lineEnd(out)
      // A blank may not end a line (RFC 2045 §6.7, rule 3). Before a CR that may begin a line end it is encoded in any case.
      if (held === CR || octet === CR) this.#escaped(held, out)
      else this.#plain(held, out)
    }
    if (octet === SPACE || octet === TAB || octet === CR) this.#held = octet
    else if (octet > SPACE && octet < 127 && octet !== EQUALS) this.#plain(octet, out)
    else this.#escaped(octet, out)
  }
  #lineEnd(out: Sink): void {
    out.lineEnd()
    this.#column = 0
  }
  #room(width: number, out: Sink): void {
    if (this.#column + width <= 75) return
    out.put(EQUALS)
    this.#lineEnd(out)
  }
  #plain(octet: number, out: Sink): void {
    this.#room(1, out)
    out.put(octet)
    this.#column += 1
  }
  #escaped(octet: number, out: Sink): void {
    this.#room(3, out)
    out.put(EQUALS)
    out.put(hexDigits[octet >> 4]!)
    out.put(hexDigits[octet & 15]!)
    this.#column += 3
  }
}

/** Base64. */
export class Base64 implements TransferEncoder {
  #column = 0
  #bits = 0
  #octets = 0

  push(bytes: Uint8Array): Uint8Array {
    const out = new Sink(Math.ceil(bytes.length * 1.4) + 8)
    for (const octet of bytes) {
      this.#bits = (this.#bits << 8) | octet
      if (++this.#octets === 3) this.#group(out)
    }
    return out.all
  }
  end(): Uint8Array {
    const out = new Sink(8)
    if (this.#octets > 0) this.#group(out)
    return out.all
  }
  #group(out: Sink): void {
    if (this.#column === 76) {
      out.lineEnd()
      this.#column = 0
    }
    const missing = 3 - this.#octets
    const bits = this.#bits << (8 * missing)
    for (let i = 0; i < 4; i += 1) out.put(i < 4 - missing ? alphabet[(bits >> (18 - 6 * i)) & 63]! : EQUALS)
    this.#column += 4
    this.#bits = 0
    this.#octets = 0
  }
}
