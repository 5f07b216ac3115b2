import type { Mailbox } from '@posthorn/address'
import { utf8 } from './bytes.ts'
import { dateTime } from './date.ts'
import type { HeaderField } from './headers.ts'

/** What a trace field tells. Who logged in is left out on purpose: it is nobody's business downstream. */
export interface Trace {
  /** What the client called itself, unchecked; absent for mail that began here. */
  readonly helo?: string
  readonly ip?: string
  /** Our own host name. */
  readonly by: string
  /** RFC 3848 and RFC 6531 §4.3: SMTP, ESMTPS, LMTPA, UTF8SMTPSA, …; absent for mail that began here. */
  readonly protocol?: string
  readonly id: string
  readonly tls?: { readonly version: string; readonly cipher: string } | undefined
  /** The recipient, when there is exactly one (RFC 5321 §7.2: more would tell of blind copies). */
  readonly for?: Mailbox | undefined
  /** Wall time in ms. */
  readonly date: number
}

/** Each clause has a line of its own. */
const next = '\r\n\t'

/** A name that cannot leave its place: neither comment, quote, white space nor control character. */
const token = (text: string): string =>
  /^[A-Za-z0-9.:_[\]-]{1,255}$/.test(text)
    ? text
    : text.slice(0, 255).replaceAll(/[^A-Za-z0-9.:_[\]-]/g, '?') || 'unknown'

const literal = (ip: string): string => (ip.includes(':') ? `[IPv6:${token(ip)}]` : `[${token(ip)}]`)

const fromClause = (t: Trace): string => {
  if (t.helo === undefined && t.ip === undefined) return ''
  const helo = token(t.helo ?? '')
  return t.ip === undefined ? `from ${helo}${next}` : `from ${helo} (${literal(t.ip)})${next}`
}

/** RFC 8314 §4.3 registers the clause for names of the IANA list; other names go into a comment. */
const tlsClause = (tls: Trace['tls']): string => {
  if (tls === undefined) return ''
  return /^TLS_[A-Z0-9_]+$/.test(tls.cipher)
    ? `${next}tls ${tls.cipher} (${token(tls.version)})`
    : `${next}(${token(tls.version)} ${token(tls.cipher)})`
}

/** An address beyond ASCII may stand only in the trace of an SMTPUTF8 transaction (RFC 6531 §3.7.3). */
const forClause = (to: Mailbox | undefined, protocol: string | undefined): string =>
  to !== undefined && (/^[\x20-\x7e]*$/.test(to.wire) || protocol?.startsWith('UTF8') === true)
    ? `${next}for <${to.wire}>`
    : ''

/** The trace field that a receiving server puts on top (RFC 5321 §4.4). Hostile names are made harmless, never quoted. */
export const receivedField = (t: Trace): HeaderField => {
  const { protocol } = t
  const by = `by ${token(t.by)} (Posthorn)${protocol === undefined ? '' : ` with ${token(protocol)}`} id ${token(t.id)}`
  const clauses = fromClause(t) + by + forClause(t.for, protocol) + tlsClause(t.tls)
  return { name: 'Received', raw: utf8(`Received: ${clauses};\r\n\t${dateTime(t.date)}\r\n`) }
}
