/** A name read from a message: labels joined by dots, and the offset just after it where it was first met. */
export interface WireName {
  /** The empty string is the root. Case as sent; an octet that could be mistaken is `\ddd` (RFC 1035 §5.1). */
  readonly text: string
  readonly end: number
}

/** Enough for any honest message; a chain of pointers each to the one before would cost time otherwise. */
const mostPointers = 64

/** A dot in a label, a NUL or a space must not look like a separator or like nothing. */
const shown = (octet: number): string =>
  octet > 0x20 && octet < 0x7f && octet !== 0x2e && octet !== 0x5c
    ? String.fromCharCode(octet)
    : `\\${String(octet).padStart(3, '0')}`

/** Read a possibly compressed name (RFC 1035 §4.1.4). Undefined for loops, forward pointers, overlong or cut names. */
export const readName = (message: Uint8Array, start: number): WireName | undefined => {
  const labels: string[] = []
  let at = start
  let lowest = start
  let end: number | undefined
  let octets = 1
  for (let pointers = 0; pointers <= mostPointers;) {
    const length = message[at]
    if (length === undefined) return undefined
    if (length === 0) return { text: labels.join('.'), end: end ?? at + 1 }
    if (length < 64) {
      octets += length + 1
      if (octets > 255 || at + 1 + length > message.length) return undefined
      labels.push(Array.from(message.subarray(at + 1, at + 1 + length), shown).join(''))
      at += 1 + length
    } else {
      const low = message[at + 1]
      if (length < 192 || low === undefined) return undefined
      end ??= at + 2
      at = (length & 63) * 256 + low
      // Only ever backwards, so that no loop is possible.
      if (at >= lowest) return undefined
      lowest = at
      pointers++
    }
  }
  return undefined
}
