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

/** A name that cannot leave its place: neither comment, quote, white space nor control character. */
const token = (text: string): string => text.slice(0, 255).replaceAll(/[^A-Za-z0-9.:_[\]-]/g, '?') || 'unknown'

const literal = (ip: string): string => (ip.includes(':') ? `[IPv6:${token(ip)}]` : `[${token(ip)}]`)

const fromClause = (t: Trace): string | undefined => {
  if (t.helo === undefined && t.ip === undefined) return undefined
  const helo = token(t.helo ?? '')
  return t.ip === undefined ? `from ${helo}` : `from ${helo} (${literal(t.ip)})`
}

/** RFC 8314 §4.3 registers the clause for names of the IANA list; other names go into a comment. */
const tlsClause = (tls: { readonly version: string; readonly cipher: string }): string =>
  /^TLS_[A-Z0-9_]+$/.test(tls.cipher)
    ? `tls ${tls.cipher} (${token(tls.version)})`
    : `(${token(tls.version)} ${token(tls.cipher)})`

/** An address beyond ASCII may stand only in the trace of an SMTPUTF8 transaction (RFC 6531 §3.7.3). */
const forClause = (to: Mailbox, protocol: string | undefined): string | undefined =>
  /^[\x20-\x7e]*$/.test(to.wire) || protocol?.startsWith('UTF8') === true ? `for <${to.wire}>` : undefined

/** The trace field that a receiving server puts on top (RFC 5321 §4.4). Hostile names are made harmless, never quoted. */
export const receivedField = (t: Trace): HeaderField => {
  const by = [
    `by ${token(t.by)} (Posthorn)`,
    t.protocol === undefined ? '' : `with ${token(t.protocol)}`,
    `id ${token(t.id)}`,
  ]
  const clauses = [
    fromClause(t),
    by.filter(part => part !== '').join(' '),
    t.for === undefined ? undefined : forClause(t.for, t.protocol),
    t.tls === undefined ? undefined : tlsClause(t.tls),
  ].filter(clause => clause !== undefined)
  return { name: 'Received', raw: utf8(`Received: ${clauses.join('\r\n\t')};\r\n\t${dateTime(t.date)}\r\n`) }
}
