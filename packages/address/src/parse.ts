import { parseDomain, maxDomain } from './domain.ts'
import { localPartEnd, maxLocalPart, quote, unquote } from './local-part.ts'
import { isAscii, octetLength } from './octets.ts'
import type { Domain, LocalPart, Mailbox } from './mailbox.ts'

/** RFC 5321 §4.5.3.1.3, in octets, angle brackets and source route included. */
const maxPath = 256

/** A path, or why there is none. `length` is in characters, the angle brackets included. */
export type ParsedPath =
  | { readonly ok: true; readonly path: Mailbox | null; readonly length: number }
  | { readonly ok: false; readonly why: 'syntax' | 'utf8' | 'too-long' }

const syntax: ParsedPath = Object.freeze({ ok: false, why: 'syntax' })
const tooLong: ParsedPath = Object.freeze({ ok: false, why: 'too-long' })
const notUtf8: ParsedPath = Object.freeze({ ok: false, why: 'utf8' })

/** What nearly every path looks like: a dot-string at a name whose last label begins with a letter. */
const plainPath =
  /^<([\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*)@((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?)>/i

/** A source route with its colon (RFC 5321 §4.1.2 `A-d-l`); what follows is all that counts (§4.1.1.3, appendix C). */
const sourceRoute = /^@[^,:@<>"[\]\s]+(?:,@[^,:@<>"[\]\s]+)*:/

const tooLongParts = (local: string, domain: string): boolean =>
  octetLength(local) > maxLocalPart || octetLength(domain) > maxDomain

/** Two parts known to stand on either side of the `@`. */
const assemble = (local: string, domain: string): Mailbox | undefined => {
  const unquoted = unquote(local)
  const parsed = unquoted === undefined ? undefined : parseDomain(domain)
  if (parsed === undefined) return undefined
  return { local: unquoted as LocalPart, domain: parsed, wire: `${local}@${domain}` }
}

/**
 * Read an address without angle brackets, as in a configuration or a header field. Non-ASCII is allowed unless `smtputf8` is
 * false. `undefined` when it breaks the grammar or the limits of RFC 5321 §4.1.2, §4.5.3.1 and RFC 6531 §3.3.
 */
export const parseMailbox = (text: string, options?: { readonly smtputf8?: boolean }): Mailbox | undefined => {
  if (text.length > maxPath || (options?.smtputf8 === false && !isAscii(text))) return undefined
  const at = localPartEnd(text)
  if (at < 0) return undefined
  const local = text.slice(0, at)
  const domain = text.slice(at + 1)
  return tooLongParts(local, domain) ? undefined : assemble(local, domain)
}

/** Where the `>` of a path stands, quoted strings and literals skipped; -1 when it is missing. */
const pathEnd = (text: string): number => {
  let closer = ''
  for (let i = 1; i < text.length; i++) {
    const c = text[i]
    if (closer === '') {
      if (c === '>') return i
      if (c === '"') closer = '"'
      else if (c === '[') closer = ']'
    } else if (c === closer) closer = ''
    else if (c === '\\') i++
  }
  return -1
}

const slowPath = (text: string, smtputf8: boolean): ParsedPath => {
  if (!text.startsWith('<')) return syntax
  const end = pathEnd(text)
  if (end < 0) return text.length > maxPath ? tooLong : syntax
  const length = end + 1
  if (length > maxPath || octetLength(text.slice(0, length)) > maxPath) return tooLong
  if (end === 1) return { ok: true, path: null, length }
  const inner = text.slice(1, end)
  if (!isAscii(inner) && !smtputf8) return notUtf8
  const address = inner.slice(sourceRoute.exec(inner)?.[0].length ?? 0)
  const at = localPartEnd(address)
  if (at < 0) return syntax
  const local = address.slice(0, at)
  const domain = address.slice(at + 1)
  if (tooLongParts(local, domain)) return tooLong
  const path = assemble(local, domain)
  return path === undefined ? syntax : { ok: true, path, length }
}

/**
 * Read the path that `text` begins with: `<local@domain>`, or `<>` for the null path. No spaces are allowed inside
 * (RFC 5321 §4.1.2); a source route is dropped. What follows the `>` is the caller's.
 */
export const parsePath = (text: string, options: { readonly smtputf8: boolean }): ParsedPath => {
  const plain = plainPath.exec(text)
  if (plain === null) return slowPath(text, options.smtputf8)
  const local = plain[1]!
  const domain = plain[2]!.toLowerCase()
  if (local.length > maxLocalPart || domain.length > maxDomain || domain.includes('xn--'))
    return slowPath(text, options.smtputf8)
  const length = plain[0].length
  if (length > maxPath) return tooLong
  const wire = plain[0].slice(1, -1)
  return { ok: true, path: { local: local as LocalPart, domain: domain as Domain, wire }, length }
}

/** The mailbox of a local part, unquoted, at a domain. Throws RangeError when no quoting can express the local part. */
export const mailboxAt = (local: string, domain: Domain): Mailbox => {
  const written = quote(local)
  if (written === undefined || octetLength(written) > maxLocalPart)
    throw new RangeError(`no mailbox can have the local part ${JSON.stringify(local)}`)
  return { local: local as LocalPart, domain, wire: `${written}@${domain}` }
}
