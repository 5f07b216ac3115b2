import { parseMailbox } from '@posthorn/address'
import type { Mailbox } from '@posthorn/address'

/** What a stranger said, as one line of printable ASCII that is not endless. */
export const printable = (text: string, limit: number = 500): string =>
  text
    .slice(0, limit)
    .replaceAll('\t', ' ')
    .replaceAll(/[^\x20-\x7e]/g, '?')

const isAscii = (text: string): boolean => /^[\x20-\x7e]*$/.test(text)

/** Beyond ASCII, for a report that must stay within it: `utf-8-addr-xtext` (RFC 6533 §3). */
const addressXtext = (text: string): string =>
  text
    .replaceAll(/[^\x21-\x7e]|[\\+=]/gu, c => `\\x{${(c.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`)
    .slice(0, 900)

/** `type; address` of a recipient: the type says which alphabet the address needs (RFC 3464 §2.3.2, RFC 6533 §3). */
export const typedAddress = (to: Mailbox, utf8: boolean): string => {
  if (isAscii(to.wire)) return `rfc822; ${to.wire}`
  return `utf-8; ${utf8 ? to.wire : addressXtext(to.wire)}`
}

/** Embedded characters stand for themselves (RFC 6533 §3). */
const isAddress = (text: string): boolean =>
  parseMailbox(
    text.replaceAll(/\\x\{(1?[\dA-F]{2,5})\}/g, (_, hex: string) => characterOf(Number.parseInt(hex, 16))),
    { smtputf8: true },
  ) !== undefined

const characterOf = (code: number): string => (code > 0x10ffff ? '' : String.fromCodePoint(code))

/**
 * An ORCPT value as the client gave it, xtext decoded; what could leave its line is gone. Undefined when it should be a mail address and
 * is none: a report goes to whoever a stranger named as the sender, and is not to carry what that stranger wants to tell.
 */
export const typedOriginal = (orcpt: string, utf8: boolean): string | undefined => {
  const [type, address] = orcpt.includes(';') ? orcpt.split(/;(.*)/s, 2) : ['rfc822', orcpt]
  // Short enough for one line however it is written: a longer one is no address.
  const clean = (address ?? '').slice(0, 300).replaceAll(/\p{Cc}/gu, '?')
  const name = printable(type ?? '', 40)
  if (/^(?:rfc822|utf-8)$/i.test(name) && !isAddress(clean)) return undefined
  if (isAscii(clean)) return `${name}; ${clean}`
  return `${name}; ${utf8 ? clean : name.toLowerCase() === 'utf-8' ? addressXtext(clean) : printable(clean)}`
}
