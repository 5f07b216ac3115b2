import { formatPath } from '@posthorn/address'
import type { Mailbox } from '@posthorn/address'
import { dateTime, field, joinBytes, newMessageId, parseHeaders, utf8 } from '@posthorn/message'
import type { RemoteReply } from '@posthorn/reply'
import { explanation, subjectOf } from './explanation.ts'
import type { Action } from './notify.ts'
import { bitsOf } from './original.ts'
import type { Original } from './original.ts'
import { encodeQuotedPrintable } from './quoted-printable.ts'
import { statusFields } from './status-fields.ts'

/** One recipient of the message reported on. Times are wall time in ms. */
export interface ReportedRecipient {
  readonly to: Mailbox
  /** `type;address`, xtext decoded. */
  readonly orcpt?: string
  readonly action: Action
  /** Such as `5.1.1`; that of the reply, or the vaguest of its class, when absent. */
  readonly status?: string
  /** For people, when there is no reply. */
  readonly cause: string
  readonly reply?: RemoteReply
  /** The peer, such as `mx.example.org[192.0.2.1]:25`. */
  readonly remote?: string
  readonly lastAttempt?: number
  readonly willRetryUntil?: number
  /** Of a relay: the next hop goes on to report. */
  readonly onward?: true
}

/** What a report is made from. Times are wall time in ms. */
export interface Report {
  /** The return path. Never the null path: nobody is told of what the null sender sent (RFC 5321 §4.5.5). */
  readonly to: Mailbox
  /** Our own name: the reporting MTA. */
  readonly hostname: string
  /** From MAIL, xtext decoded. */
  readonly envid?: string
  readonly arrived: number
  /** When it was to be delivered by (DELIVERBY, RFC 2852). */
  readonly deliverBy?: number
  readonly now: number
  /** Whether the message came with SMTPUTF8; then so may its report go. */
  readonly smtputf8: boolean
  readonly original: Original
  readonly recipients: readonly ReportedRecipient[]
  readonly random: { bytes(length: number): Uint8Array }
}

/** A finished report: header block and body, to be sent with the null return path to `Report.to`. */
export interface BuiltReport {
  readonly bytes: Uint8Array
  readonly smtputf8: boolean
  readonly body: '7bit' | '8bitmime'
}

interface Part {
  readonly type: string
  readonly description: string
  readonly encoding: '7bit' | '8bit' | 'quoted-printable'
  readonly content: Uint8Array
}

const bitsOfText = (content: Uint8Array): '7bit' | '8bit' => (bitsOf(content) === '7bit' ? '7bit' : '8bit')

const textPart = (report: Report, isUtf8: boolean): Part => {
  const content = utf8(explanation(report, report.smtputf8))
  const description = 'Notification'
  if (bitsOf(content) === '7bit')
    return { type: 'text/plain; charset=us-ascii', description, encoding: '7bit', content }
  const type = 'text/plain; charset=utf-8'
  return isUtf8
    ? { type, description, encoding: '8bit', content }
    : { type, description, encoding: 'quoted-printable', content: encodeQuotedPrintable(content) }
}

const statusPart = (report: Report, isUtf8: boolean): Part => {
  const content = statusFields(report, isUtf8)
  const type = isUtf8 ? 'message/global-delivery-status' : 'message/delivery-status'
  return { type, description: 'Delivery report', encoding: bitsOfText(content), content }
}

/** The message, or its headers where the message was not asked for, is too big, or could not travel inside another. */
const originalPart = ({ original, smtputf8 }: Report, isUtf8: boolean): Part => {
  const bits = original.whole === undefined ? 'binary' : bitsOf(original.whole)
  const headerBits = bitsOf(original.headers)
  const isGlobal = isUtf8 || (smtputf8 && headerBits === '8bit')
  if (original.whole !== undefined && bits !== 'binary') {
    const part = { type: isGlobal ? 'message/global' : 'message/rfc822', description: 'Undelivered message' }
    // RFC 6532 §3.7: unlike message/rfc822 it may be encoded, and then it goes by servers without SMTPUTF8.
    return isGlobal && !isUtf8
      ? { ...part, encoding: 'quoted-printable', content: encodeQuotedPrintable(original.whole) }
      : { ...part, encoding: bits, content: original.whole }
  }
  const type = isGlobal ? 'message/global-headers' : 'text/rfc822-headers'
  const description = 'Header section of the message'
  if (headerBits === '7bit' || (isUtf8 && headerBits === '8bit'))
    return { type, description, encoding: headerBits, content: original.headers }
  // RFC 6522 §4: headers that are not clean may be encoded.
  return { type, description, encoding: 'quoted-printable', content: encodeQuotedPrintable(original.headers) }
}

const partHead = (part: Part): Uint8Array =>
  joinBytes([
    field('Content-Description', part.description).raw,
    field('Content-Type', part.type).raw,
    field('Content-Transfer-Encoding', part.encoding).raw,
    utf8('\r\n'),
  ])

const endsLine = (bytes: Uint8Array): boolean => bytes.length === 0 || bytes[bytes.length - 1] === 10

/** The Message-ID of the original, if it is one that can be repeated. */
const references = (original: Original): string | undefined => {
  const id = parseHeaders(original.headers).first('message-id')
  return id !== undefined && /^<[\x21-\x3b\x3d\x3f-\x7e]{1,250}>$/.test(id) ? id : undefined
}

const head = (
  report: Report,
  o: { readonly boundary: string; readonly isUtf8: boolean; readonly eight: boolean },
): Uint8Array => {
  const id = references(report.original)
  const lines: readonly (readonly [string, string | undefined])[] = [
    ['From', `Mail Delivery System <MAILER-DAEMON@${report.hostname}>`],
    ['To', formatPath(report.to)],
    ['Subject', subjectOf(report.recipients)],
    ['Date', dateTime(report.now)],
    ['Message-ID', newMessageId(report.random, report.now, report.hostname)],
    ['References', id],
    // RFC 3834 §5: keeps auto-responders silent.
    ['Auto-Submitted', 'auto-replied'],
    ['MIME-Version', '1.0'],
    ['Content-Type', `multipart/report; report-type=delivery-status; boundary="${o.boundary}"`],
    ['Content-Transfer-Encoding', o.eight ? '8bit' : '7bit'],
  ]
  const fields = lines.flatMap(([name, value]) =>
    value === undefined ? [] : [field(name, value, { utf8: o.isUtf8 }).raw],
  )
  return joinBytes([...fields, utf8('\r\n')])
}

const isAscii = (text: string): boolean => /^[\x20-\x7e]*$/.test(text)

/**
 * Whether the report has to travel by SMTPUTF8: only when its reader's address does. A server without SMTPUTF8 on the way could not be
 * told the reason, since a report is never bounced; so for other readers everything beyond ASCII is encoded (RFC 6533 §3).
 */
const needsUtf8 = (report: Report): boolean => report.smtputf8 && !isAscii(report.to.wire)

/**
 * Write a delivery status notification: a part for people, one for machines and the message or its headers
 * (RFC 3464, RFC 6522; with UTF-8 RFC 6533). Throws RangeError when there is no recipient.
 */
export const buildReport = (report: Report): BuiltReport => {
  if (report.recipients.length === 0) throw new RangeError('a report is about at least one recipient')
  const isUtf8 = needsUtf8(report)
  const parts = [textPart(report, isUtf8), statusPart(report, isUtf8), originalPart(report, isUtf8)]
  const eight = parts.some(part => part.encoding === '8bit')
  // 128 random bits: no content can hold it, whoever wrote the content.
  const boundary = `=_${[...report.random.bytes(16)].map(b => b.toString(16).padStart(2, '0')).join('')}`
  const chunks: Uint8Array[] = [head(report, { boundary, isUtf8, eight })]
  for (const part of parts) {
    chunks.push(utf8(`--${boundary}\r\n`), partHead(part), part.content)
    chunks.push(utf8(endsLine(part.content) ? '\r\n' : '\r\n\r\n'))
  }
  chunks.push(utf8(`--${boundary}--\r\n`))
  return { bytes: joinBytes(chunks), smtputf8: isUtf8, body: eight ? '8bitmime' : '7bit' }
}
