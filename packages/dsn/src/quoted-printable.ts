import { utf8 } from '@posthorn/message'

const CR = 13
const LF = 10
const SPACE = 32
const TAB = 9
const EQUALS = 61

const hex = (byte: number): string => `=${byte.toString(16).toUpperCase().padStart(2, '0')}`

/** Bytes as quoted-printable text with lines of at most 76 characters (RFC 2045 §6.7); CRLF stays a line break. */
export const encodeQuotedPrintable = (bytes: Uint8Array): Uint8Array => {
  const lines: string[] = []
  let line = ''
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0
    if (byte === CR && bytes[at + 1] === LF) {
      lines.push(line)
      line = ''
      at += 1
      continue
    }
    const beforeBreak = at + 1 === bytes.length || (bytes[at + 1] === CR && bytes[at + 2] === LF)
    const isBlank = byte === SPACE || byte === TAB
    const plain = isBlank ? !beforeBreak : byte > SPACE && byte < 127 && byte !== EQUALS
    const piece = plain ? String.fromCharCode(byte) : hex(byte)
    if (line.length + piece.length > 75) {
      lines.push(`${line}=`)
      line = ''
    }
    line += piece
  }
  lines.push(line)
  return utf8(lines.join('\r\n'))
}

const digit = (byte: number | undefined): number => {
  if (byte === undefined) return -1
  if (byte >= 48 && byte <= 57) return byte - 48
  const letter = (byte | 32) - 87
  return letter >= 10 && letter <= 15 ? letter : -1
}

/** The other way; what is malformed stays as it is (RFC 2045 §6.7, the note on robustness). */
export const decodeQuotedPrintable = (bytes: Uint8Array): Uint8Array => {
  const decoded = new Uint8Array(bytes.length)
  let size = 0
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0
    const high = digit(bytes[at + 1])
    const low = digit(bytes[at + 2])
    if (byte === EQUALS && bytes[at + 1] === CR && bytes[at + 2] === LF) at += 2
    else if (byte === EQUALS && bytes[at + 1] === LF) at += 1
    else if (byte === EQUALS && high >= 0 && low >= 0) {
      decoded[size++] = high * 16 + low
      at += 2
    } else decoded[size++] = byte
  }
  return decoded.subarray(0, size)
}
