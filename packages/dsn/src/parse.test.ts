import { describe, expect, test } from 'vitest'
import * as fc from 'fast-check'
import { utf8 } from '@posthorn/message'
import { parseReport } from './index.ts'

const report = (status: string, o: { type?: string; encoding?: string; boundary?: string } = {}): Uint8Array =>
  utf8(
    [
      'From: MAILER-DAEMON@example.org',
      `Content-Type: multipart/report; report-type="delivery-status"; boundary=${o.boundary ?? '"b b"'}`,
      '',
      'preamble',
      '--b b',
      '',
      'for people',
      '--b b extra is no delimiter',
      '--b b ',
      `Content-Type: ${o.type ?? 'message/delivery-status'}`,
      ...(o.encoding === undefined ? [] : [`Content-Transfer-Encoding: ${o.encoding}`]),
      '',
      status,
      '--b b',
      'Content-Type: text/rfc822-headers',
      '',
      'Message-ID: <a@b>',
      '--b b--',
      'epilogue',
    ].join('\r\n'),
  )
const groups = [
  'Reporting-MTA: dns; mx.example.org',
  'Original-Envelope-ID: e1',
  '',
  'Final-Recipient: RFC822; bob@example.org',
  'Action: Failed',
  'Status: 5.2.2 (over quota)',
  'Diagnostic-Code: smtp; 552 5.2.2',
  ' mailbox full',
  '',
  'Final-Recipient: rfc822;carol@example.org',
  'Action: delayed',
  'Status: 4.4.1',
].join('\r\n')
const expected = {
  reportingMta: 'mx.example.org',
  envid: 'e1',
  recipients: [
    { finalRecipient: 'bob@example.org', action: 'failed', status: '5.2.2', diagnostic: '552 5.2.2 mailbox full' },
    { finalRecipient: 'carol@example.org', action: 'delayed', status: '4.4.1' },
  ],
}

describe('a report that came in', () => {
  test('is read with its groups, whatever the case, comments and folding', () => {
    const read = parseReport(report(groups))
    expect(read).toMatchObject(expected)
    expect(read?.original?.first('message-id')).toBe('<a@b>')
  })

  test('is read through quoted-printable and base64', () => {
    const base64 = Buffer.from(groups)
      .toString('base64')
      .replaceAll(/(.{76})/g, '$1\r\n')
    expect(parseReport(report(base64, { encoding: 'BASE64' }))).toMatchObject(expected)
    const quoted = groups.replaceAll('=', '=3D').replace('mailbox', 'mail=\r\nbox').replace('Action: F', 'Action: =46')
    expect(
      parseReport(report(quoted, { encoding: 'quoted-printable', type: 'message/global-delivery-status' })),
    ).toMatchObject(expected)
  })

  test('is none when it says nothing of any recipient', () => {
    for (const status of [
      '',
      'Reporting-MTA: dns; x',
      groups.replaceAll('Status', 'State'),
      groups.replaceAll('Action', 'Act'),
    ])
      expect(parseReport(report(status))).toBeUndefined()
    expect(parseReport(utf8('Content-Type: text/plain\r\n\r\nhello'))).toBeUndefined()
    expect(parseReport(utf8('no header'))).toBeUndefined()
  })

  test('row 39: boundaries that are empty, too long or a prefix of another, and a million parts, are no trouble', () => {
    for (const boundary of ['""', `"${'b'.repeat(71)}"`, 'b', '"unclosed'])
      expect(parseReport(report(groups, { boundary }))).toBeUndefined()
    const head = 'Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n'
    const started = performance.now()
    expect(parseReport(utf8(head + '--b\r\n'.repeat(1_000_000)))).toBeUndefined()
    expect(
      parseReport(utf8(head + '--b\r\nContent-Type: message/delivery-status\r\n\r\n' + 'x: y\r\n\r\n'.repeat(300_000))),
    ).toBeUndefined()
    expect(performance.now() - started).toBeLessThan(2000)
  })

  test('never throws, whatever it is made of', () => {
    const piece = fc.constantFrom(
      '--b b',
      '--',
      '\r\n',
      '\n',
      ':',
      ' ',
      'Action: failed',
      'Status: 5.0.0',
      'Final-Recipient: x',
      '=',
      '=4',
      '\0',
    )
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 40 }),
        fc.constantFrom('7bit', 'base64', 'quoted-printable'),
        (pieces, encoding) => {
          expect(() => parseReport(report(pieces.join(''), { encoding }))).not.toThrow()
        },
      ),
    )
  })
})
