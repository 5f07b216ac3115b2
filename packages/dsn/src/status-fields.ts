import { dateTime, field, joinBytes, utf8 } from '@posthorn/message'
import type { RemoteReply } from '@posthorn/reply'
import type { Action } from './notify.ts'
import { printable, typedAddress, typedOriginal } from './printable.ts'
import type { Report, ReportedRecipient } from './report.ts'

const CLASS: { readonly [A in Action]: string } = {
  failed: '5.0.0',
  delayed: '4.0.0',
  delivered: '2.0.0',
  relayed: '2.0.0',
  expanded: '2.0.0',
}

/** The status of a recipient: what is known, or the vaguest of its class. */
const statusOf = (r: ReportedRecipient): string => {
  const status = r.status ?? r.reply?.enhanced
  return status !== undefined && /^[245]\.\d{1,3}\.\d{1,3}$/.test(status) ? status : CLASS[r.action]
}

/** A reply as the peer gave it, in one line (RFC 3464 §2.3.6), bounded. */
export const replyText = (reply: RemoteReply): string => {
  const text = reply.lines.slice(0, 20).join(' ')
  return printable([String(reply.code), reply.enhanced ?? '', text].filter(part => part !== '').join(' '), 900)
}

/** The host of `mx.example.org[192.0.2.1]:25` or `192.0.2.1:25`; one without a name as a literal (RFC 3464 §2.1.2, RFC 5321 §4.1.3). */
const hostOf = (remote: string): string => {
  const bracket = remote.indexOf('[')
  const host = bracket > 0 ? remote.slice(0, bracket) : remote.replace(/:\d{1,5}$/, '')
  if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(host)) return `[${host}]`
  return /^[\da-f:.]*:[\da-f:.]*$/i.test(host) ? `[IPv6:${host}]` : printable(host, 255)
}

type Line = readonly [name: string, value: string | undefined]

const fieldsOf = (lines: readonly Line[], isUtf8: boolean): readonly Uint8Array[] =>
  lines.flatMap(([name, value]) => (value === undefined ? [] : [field(name, value, { utf8: isUtf8 }).raw]))

const date = (wallMs: number | undefined): string | undefined => (wallMs === undefined ? undefined : dateTime(wallMs))

const recipientFields = (r: ReportedRecipient, isUtf8: boolean): readonly Uint8Array[] =>
  fieldsOf(
    [
      ['Original-Recipient', r.orcpt === undefined ? undefined : typedOriginal(r.orcpt, isUtf8)],
      ['Final-Recipient', typedAddress(r.to, isUtf8)],
      ['Action', r.action],
      ['Status', statusOf(r)],
      ['Remote-MTA', r.remote === undefined || r.reply === undefined ? undefined : `dns; ${hostOf(r.remote)}`],
      ['Diagnostic-Code', r.reply === undefined ? `X-Posthorn; ${printable(r.cause)}` : `smtp; ${replyText(r.reply)}`],
      ['Last-Attempt-Date', date(r.lastAttempt)],
      ['Will-Retry-Until', r.action === 'delayed' ? date(r.willRetryUntil) : undefined],
    ],
    isUtf8,
  )

/** The content of the machine-readable part: one group for the message, one for each recipient (RFC 3464 §2.1). */
export const statusFields = (report: Report, isUtf8: boolean): Uint8Array => {
  const envid = report.envid?.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 100)
  const message = fieldsOf(
    [
      ['Original-Envelope-Id', envid],
      ['Reporting-MTA', `dns; ${printable(report.hostname, 255)}`],
      ['Arrival-Date', date(report.arrived)],
      // RFC 2852
      ['Deliver-By-Date', date(report.deliverBy)],
    ],
    isUtf8,
  )
  return joinBytes([...message, ...report.recipients.flatMap(r => [utf8('\r\n'), ...recipientFields(r, isUtf8)])])
}
