import { utf8 } from './bytes.ts'
import { encodeWords } from './encoded-word.ts'
import type { HeaderField } from './headers.ts'

/** RFC 5322 §2.1.1: lines should have at most 78 characters and must have at most 998, without the CRLF. */
const GOOD_LINE = 78
const LONGEST_LINE = 998

/** Break before white space that is there already, so that unfolding gives the value back (RFC 5322 §2.2.3). */
const fold = (name: string, value: string): string => {
  const lines: string[] = []
  let line = `${name}:`
  for (const piece of value === '' ? [] : (` ${value}`.match(/[ \t]+[^ \t]*/g) ?? [])) {
    // Not directly after the colon: some readers do not know a field whose first line is empty.
    if (line.length + piece.length > GOOD_LINE && line.length > name.length + 1) {
      lines.push(line)
      line = ''
    }
    line += piece
  }
  lines.push(line)
  return lines.join('\r\n')
}

/**
 * A field from a name and an unfolded value; white space around the value goes, and it is folded at 78 characters.
 * Other characters than ASCII become encoded words (RFC 2047), or stay as UTF-8 with `utf8`, which only an SMTPUTF8 message may
 * bear (RFC 6532). Throws RangeError for an impossible name, for a CR, LF or other control character in the value (it could
 * begin another field or the body), and for a word that no folding can bring under 998 octets.
 */
export const field = (name: string, value: string, options: { readonly utf8?: boolean } = {}): HeaderField => {
  if (!/^[\x21-\x39\x3b-\x7e]{1,76}$/.test(name)) throw new RangeError(`impossible field name ${JSON.stringify(name)}`)
  if (/[^\P{Cc}\t]/u.test(value)) throw new RangeError(`control character in the value of ${name}`)
  const text = options.utf8 === true ? value.trim() : encodeWords(value.trim())
  const folded = fold(name, text)
  const raw = utf8(`${folded}\r\n`)
  if (raw.byteLength > LONGEST_LINE && folded.split('\r\n').some(line => utf8(line).byteLength > LONGEST_LINE))
    throw new RangeError(`a line of ${name} would be over ${LONGEST_LINE} octets`)
  return { name, raw }
}
