import { dateTime, field, joinBytes, newMessageId, utf8 } from '@posthorn/message'

/** What the mail with a report on TLS is made from. */
export interface TlsReportMail {
  readonly from: string
  readonly to: readonly string[]
  /** The domain that is reported on. */
  readonly domain: string
  /** The domain that reports. */
  readonly submitter: string
  /** Such as `20261122.1a2b@mx.example.org`. */
  readonly id: string
  readonly file: string
  /** The compressed report in base64, lines of at most 76 characters. */
  readonly content: string
  /** Wall time in ms. */
  readonly now: number
  readonly random: { bytes(length: number): Uint8Array }
}

/** Write the mail that carries a report on TLS: a part for people, and the report (RFC 8460 §5.3). */
export const buildTlsReportMail = (mail: TlsReportMail): Uint8Array => {
  const boundary = Array.from(mail.random.bytes(15), byte => byte.toString(16).padStart(2, '0')).join('')
  const head: readonly (readonly [string, string])[] = [
    ['From', mail.from],
    ['To', mail.to.join(', ')],
    ['Subject', `Report Domain: ${mail.domain} Submitter: ${mail.submitter} Report-ID: <${mail.id}>`],
    ['Date', dateTime(mail.now)],
    ['Message-ID', newMessageId(mail.random, mail.now, mail.submitter)],
    ['TLS-Report-Domain', mail.domain],
    ['TLS-Report-Submitter', mail.submitter],
    // RFC 8460 §3: it is to arrive also where TLS is broken; RFC 8689 §5 is how the next servers learn that.
    ['TLS-Required', 'No'],
    ['Auto-Submitted', 'auto-generated'],
    ['MIME-Version', '1.0'],
    ['Content-Type', `multipart/report; report-type="tlsrpt"; boundary="${boundary}"`],
  ]
  const parts = [
    '',
    `--${boundary}`,
    'Content-Type: text/plain; charset=us-ascii',
    '',
    `This is a report on TLS towards the mail exchangers of ${mail.domain}`,
    `from ${mail.submitter}, as RFC 8460 describes it.`,
    '',
    `--${boundary}`,
    'Content-Type: application/tlsrpt+gzip',
    'Content-Transfer-Encoding: base64',
    'Content-Disposition: attachment;',
    ` filename="${mail.file}"`,
    '',
    mail.content,
    '',
    `--${boundary}--`,
    '',
  ]
  return joinBytes([...head.map(([name, value]) => field(name, value).raw), utf8(parts.join('\r\n'))])
}
