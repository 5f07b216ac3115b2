import { toASCII } from 'tr46'
import { parseLiteral } from './literal.ts'
import { isHonest } from './honest.ts'
import { isAscii, octetLength } from './octets.ts'
import type { Domain } from './mailbox.ts'

/** RFC 5321 §4.5.3.1.2, in octets. */
export const maxDomain = 255

/** Labels of letters, digits and inner hyphens, at most 63 octets each; RFC 5321 §4.1.2 rules out `_` by name. */
const hostName = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** A last label of digits makes a bare IP address look like a domain (RFC 3696 §2). */
const endsInDigits = /(?:^|\.)[0-9]+$/

const idna = {
  checkBidi: true,
  checkHyphens: false,
  checkJoiners: true,
  useSTD3ASCIIRules: false,
  verifyDNSLength: true,
  transitionalProcessing: false,
  ignoreInvalidPunycode: false,
} as const

/** Whether every label is plain: no A-label to verify, nothing for IDNA to map. */
const isPlain = (name: string): boolean => isAscii(name) && !name.includes('xn--')

const parseName = (text: string): Domain | undefined => {
  const lower = text.toLowerCase()
  const name = isPlain(lower) ? lower : isHonest(text) ? toASCII(text, idna) : null
  if (name === null || !hostName.test(name) || endsInDigits.test(name)) return undefined
  return name as Domain
}

/**
 * Read a domain: a name, or an address literal in brackets. Names come back in lower case with A-labels, mapped and checked by
 * UTS #46 without transitional processing (so `。` is a dot and a broken `xn--` label is refused); literals come back normalised.
 * `undefined` for anything else: a trailing dot, an empty or overlong label, a bare IP address. Non-ASCII is allowed unless
 * `smtputf8` is false (RFC 5321 §4.1.2, RFC 6531 §3.3).
 */
export const parseDomain = (text: string, options?: { readonly smtputf8?: boolean }): Domain | undefined => {
  if (text.length > maxDomain || octetLength(text) > maxDomain) return undefined
  if (options?.smtputf8 === false && !isAscii(text)) return undefined
  return text.startsWith('[') ? parseLiteral(text) : parseName(text)
}
