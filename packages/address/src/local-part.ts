import { isHonest } from './honest.ts'

/** RFC 5321 §4.5.3.1.1, in octets, quotes and backslashes included. */
export const maxLocalPart = 64

/** A dot-string (RFC 5321 §4.1.2); with RFC 6531 §3.3 any character beyond ASCII is atext. */
const dotString = /^[\w!#$%&'*+/=?^`{|}~\-\u0080-\uffff]+(?:\.[\w!#$%&'*+/=?^`{|}~\-\u0080-\uffff]+)*$/

/** What may stand in a local part at all, quoted or not. */
const printable = /^[\x20-\x7e\u0080-\uffff]*$/

/** The length of the quoted string that `text` begins with, quotes included; 0 when there is none, or none that ends. */
const quotedLength = (text: string): number => {
  if (!text.startsWith('"')) return 0
  for (let i = 1; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === 0x22) return i + 1
    if (c === 0x5c) i++
  }
  return 0
}

/** Where the `@` after a local part must stand; -1 when there can be none. Linear in the text. */
export const localPartEnd = (text: string): number => {
  const end = text.startsWith('"') ? quotedLength(text) : text.indexOf('@')
  return end > 0 && text[end] === '@' ? end : -1
}

/** A local part as written, without its quoting; `undefined` when the grammar forbids it. */
export const unquote = (written: string): string | undefined => {
  if (dotString.test(written)) return isHonest(written) ? written : undefined
  if (written.length < 2 || quotedLength(written) !== written.length) return undefined
  const inner = written.slice(1, -1)
  if (!printable.test(inner) || !isHonest(inner)) return undefined
  // A quoted-pair quotes ASCII only (RFC 5321 §4.1.2, unchanged by RFC 6531 §3.3).
  if (/\\(?![\x20-\x7e])/.test(inner.replaceAll(/\\[\x20-\x7e]/g, ''))) return undefined
  return inner.replaceAll(/\\(.)/g, '$1')
}

/** A local part as it is written on the wire, quoted where it must be; `undefined` when nothing can express it. */
export const quote = (local: string): string | undefined => {
  if (!printable.test(local) || !isHonest(local)) return undefined
  return dotString.test(local) ? local : `"${local.replaceAll(/["\\]/g, String.raw`\$&`)}"`
}
