import { describe, expect, test } from 'vitest'
import * as fc from 'fast-check'
import { parseMailbox } from '@posthorn/address'
import type { Mailbox } from '@posthorn/address'
import { bodyOf, parseHeaders, utf8 } from '@posthorn/message'
import type { Body } from '@posthorn/message'
import { buildReport, originalOf, parseReport, wantsReport } from './index.ts'
import type { BuiltReport, Report, ReportedRecipient } from './index.ts'

const box = (text: string): Mailbox => {
  const mailbox = parseMailbox(text, { smtputf8: true })
  if (mailbox === undefined) throw new Error(text)
  return mailbox
}
const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
const original = { headers: utf8('Message-ID: <a1@example.com>\r\nSubject: hi\r\n\r\n') }
const failed: ReportedRecipient = {
  to: box('bob@example.org'),
  action: 'failed',
  cause: 'rejected',
  reply: { code: 550, enhanced: '5.1.1', lines: ['No such user', 'go away'] },
  remote: 'mx.example.org[192.0.2.1]:25',
  lastAttempt: Date.UTC(2026, 0, 2),
}
const base: Report = {
  to: box('alice@example.com'),
  hostname: 'mail.example.net',
  envid: 'QQ314159',
  arrived: Date.UTC(2026, 0, 1),
  now: Date.UTC(2026, 0, 3),
  smtputf8: false,
  original: { ...original, whole: utf8(`${latin1(original.headers)}the text\r\n`) },
  recipients: [failed],
  random: { bytes: n => new Uint8Array(n).fill(0xab) },
}
const text = (report: BuiltReport): string => Buffer.from(report.bytes).toString()

describe('a report', () => {
  test('says by when the message was to be delivered, where its sender said so', () => {
    const deliverBy = Date.UTC(2026, 0, 1, 12)
    expect(text(buildReport({ ...base, deliverBy, recipients: [failed] }))).toContain(
      'Arrival-Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nDeliver-By-Date: Thu, 01 Jan 2026 12:00:00 +0000\r\n',
    )
    expect(text(buildReport({ ...base, recipients: [failed] }))).not.toContain('Deliver-By-Date')
  })
  test('tells a relay to who goes on reporting from one to who does not', () => {
    const relay = { ...failed, action: 'relayed' } as const
    expect(text(buildReport({ ...base, recipients: [{ ...relay, onward: true }] }))).toContain(
      'which may report further',
    )
    expect(text(buildReport({ ...base, recipients: [relay] }))).toContain('You may hear no more of it')
  })
  test('is the multipart/report of RFC 3464', () => {
    const report = buildReport({ ...base, recipients: [{ ...failed, orcpt: 'rfc822;robert@example.org' }] })
    expect(report).toMatchObject({ smtputf8: false, body: '7bit' })
    expect(text(report).split('\r\n')).toEqual([
      'From: Mail Delivery System <MAILER-DAEMON@mail.example.net>',
      'To: <alice@example.com>',
      'Subject: Undelivered mail returned to sender',
      'Date: Sat, 03 Jan 2026 00:00:00 +0000',
      expect.stringMatching(/^Message-ID: <.*@mail\.example\.net>$/),
      'References: <a1@example.com>',
      'Auto-Submitted: auto-replied',
      'MIME-Version: 1.0',
      'Content-Type: multipart/report; report-type=delivery-status;',
      ` boundary="=_${'ab'.repeat(16)}"`,
      'Content-Transfer-Encoding: 7bit',
      '',
      `--=_${'ab'.repeat(16)}`,
      'Content-Description: Notification',
      'Content-Type: text/plain; charset=us-ascii',
      'Content-Transfer-Encoding: 7bit',
      '',
      'This is the mail system at mail.example.net.',
      '',
      'Your message could not be delivered to one or more recipients.',
      'It will not be tried again for:',
      '',
      '  <bob@example.org>',
      '    mx.example.org[192.0.2.1]:25 said:',
      '    550 5.1.1 No such user go away',
      '',
      `--=_${'ab'.repeat(16)}`,
      'Content-Description: Delivery report',
      'Content-Type: message/delivery-status',
      'Content-Transfer-Encoding: 7bit',
      '',
      'Original-Envelope-Id: QQ314159',
      'Reporting-MTA: dns; mail.example.net',
      'Arrival-Date: Thu, 01 Jan 2026 00:00:00 +0000',
      '',
      'Original-Recipient: rfc822; robert@example.org',
      'Final-Recipient: rfc822; bob@example.org',
      'Action: failed',
      'Status: 5.1.1',
      'Remote-MTA: dns; mx.example.org',
      'Diagnostic-Code: smtp; 550 5.1.1 No such user go away',
      'Last-Attempt-Date: Fri, 02 Jan 2026 00:00:00 +0000',
      '',
      `--=_${'ab'.repeat(16)}`,
      'Content-Description: Undelivered message',
      'Content-Type: message/rfc822',
      'Content-Transfer-Encoding: 7bit',
      '',
      'Message-ID: <a1@example.com>',
      'Subject: hi',
      '',
      'the text',
      '',
      `--=_${'ab'.repeat(16)}--`,
      '',
    ])
  })

  test.each([
    ['mx.example.org[192.0.2.1]:25', 'mx.example.org'],
    ['mx.example.org:2525', 'mx.example.org'],
    ['192.0.2.1:2525', '[192.0.2.1]'],
    ['192.0.2.1[192.0.2.1]:2525', '[192.0.2.1]'],
    ['2001:db8::1:25', '[IPv6:2001:db8::1]'],
  ])('names the peer %s as a host or a literal, without its port', (remote, host) => {
    expect(text(buildReport({ ...base, recipients: [{ ...failed, remote }] }))).toContain(
      `\r\nRemote-MTA: dns; ${host}\r\n`,
    )
  })

  test('returns the headers alone when there is no more', () => {
    const report = text(buildReport({ ...base, original }))
    expect(report).toContain('Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 7bit\r\n')
    expect(report).not.toContain('message/rfc822')
  })

  test('says until when a delayed message is tried', () => {
    const delayed: ReportedRecipient = {
      to: box('bob@example.org'),
      action: 'delayed',
      cause: 'connection refused',
      status: '4.4.1',
      willRetryUntil: Date.UTC(2026, 0, 6),
    }
    const report = text(buildReport({ ...base, recipients: [delayed] }))
    expect(report).toContain('Subject: Delayed mail (still being retried)\r\n')
    expect(report).toContain('Will-Retry-Until: Tue, 06 Jan 2026 00:00:00 +0000\r\n')
    expect(report).toContain('Diagnostic-Code: X-Posthorn; connection refused\r\n')
    expect(report).toContain('    connection refused\r\n')
    expect(report).not.toContain('Remote-MTA')
  })

  test('speaks of each fate, and its subject names the gravest', () => {
    const actions = ['expanded', 'relayed', 'delivered', 'delayed', 'failed'] as const
    const recipients = actions.map((action): ReportedRecipient => ({
      to: box(`${action}@x.example`),
      action,
      cause: 'x',
    }))
    const report = buildReport({ ...base, recipients })
    expect(text(report)).toContain('Subject: Undelivered')
    expect(parseReport(report.bytes)?.recipients).toMatchObject([
      { action: 'expanded', status: '2.0.0' },
      { action: 'relayed', status: '2.0.0' },
      { action: 'delivered', status: '2.0.0' },
      { action: 'delayed', status: '4.0.0' },
      { action: 'failed', status: '5.0.0' },
    ])
  })

  test('is about somebody', () => {
    expect(() => buildReport({ ...base, recipients: [] })).toThrow(RangeError)
  })

  test('carries 8-bit content as such, and says so', () => {
    const whole = utf8('Subject: hi\r\n\r\ngrüße\r\n')
    const report = buildReport({ ...base, original: { ...original, whole } })
    expect(report.body).toBe('8bitmime')
    expect(text(report)).toContain('Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n')
  })

  test('returns the headers, encoded, of what cannot travel: NUL, bare newlines, endless lines', () => {
    for (const bad of ['a\0b', 'a\nb', 'a\rb', 'x'.repeat(999)]) {
      const headers = utf8(`Subject: ${bad}\r\n\r\n`)
      const report = buildReport({ ...base, original: { headers, whole: headers } })
      expect(report.body).toBe('7bit')
      expect(text(report)).toContain('text/rfc822-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n')
      expect(Buffer.from(report.bytes).toString()).not.toMatch(/[^\r]\n|\0|\r[^\n]|[^\r\n]{999}/)
      expect(latin1(parseReport(report.bytes)?.original?.fields[0]?.raw ?? new Uint8Array())).toContain(
        `Subject: ${bad}`.slice(0, 10),
      )
    }
  })
})

describe('a report with UTF-8 (RFC 6533)', () => {
  const reader = box('käthe@example.com')
  const to = box('grün@example.org')
  const whole = utf8('Subject: grün\r\n\r\nschön\r\n')
  const utf8Original = { headers: utf8('Subject: grün\r\n\r\n'), whole }

  test('§3, §4: to a reader whose address needs SMTPUTF8, uses its types and plain UTF-8', () => {
    const report = buildReport({ ...base, to: reader, smtputf8: true, recipients: [{ ...failed, to }] })
    expect(report).toMatchObject({ smtputf8: true, body: '8bitmime' })
    expect(text(report)).toContain('Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit')
    expect(text(report)).toContain('Content-Type: message/global\r\n')
    expect(text(report)).toContain('Final-Recipient: utf-8; grün@example.org\r\n')
  })

  test('§3: to another reader, is ASCII on the way, so that a server without SMTPUTF8 does not lose it', () => {
    const orcpt = 'utf-8;früher@example.org'
    const recipients = [{ ...failed, to, orcpt }]
    const report = buildReport({ ...base, smtputf8: true, original: utf8Original, recipients })
    expect(report).toMatchObject({ smtputf8: false, body: '7bit' })
    expect(text(report)).toMatch(/^[\x20-\x7e\r\n\t]*$/)
    expect(text(report)).toContain('Content-Type: message/delivery-status\r\n')
    expect(text(report)).toContain('Final-Recipient: utf-8; gr\\x{FC}n@example.org\r\n')
    expect(text(report)).toContain('Original-Recipient: utf-8; fr\\x{FC}her@example.org\r\n')
    expect(text(report)).toContain('Content-Type: message/global\r\nContent-Transfer-Encoding: quoted-printable\r\n')
    expect(parseReport(report.bytes)?.original?.first('subject')).toBe('grün')
  })

  test('§4: of headers alone, it says so in the type', () => {
    const report = buildReport({ ...base, smtputf8: true, original: { headers: utf8Original.headers } })
    expect(text(report)).toContain(
      'Content-Type: message/global-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n',
    )
  })

  test('does not ask for SMTPUTF8 when nothing needs it', () => {
    expect(buildReport({ ...base, smtputf8: true }).smtputf8).toBe(false)
  })

  test('writes an address in ASCII where SMTPUTF8 was not spoken', () => {
    const report = buildReport({ ...base, recipients: [{ ...failed, to }] })
    expect(report.smtputf8).toBe(false)
    expect(text(report)).toContain('Final-Recipient: utf-8; gr\\x{FC}n@example.org\r\n')
  })
})

test.each([
  ['rfc822;Bob+x@example.org', 'rfc822; Bob+x@example.org'],
  ['rfc822;"b b"@example.org', 'rfc822; "b b"@example.org'],
  ['utf-8;gr\\x{FC}n@example.org', 'utf-8; gr\\x{FC}n@example.org'],
  ['x400;/s=bob/', 'x400; /s=bob/'],
  ['rfc822;Buy now at evil.example', undefined],
  ['utf-8;no address', undefined],
  ['RFC822;' + 'x'.repeat(400), undefined],
])('row 42: ORCPT=%s is told as %s: what is no address is not carried to a stranger', (orcpt, told) => {
  const report = buildReport({ ...base, recipients: [{ ...failed, orcpt }] })
  expect(/^Original-Recipient: (.*)\r$/m.exec(text(report))?.[1]).toBe(told)
})

describe('what strangers said cannot leave its line:', () => {
  test('row 42: ORCPT, ENVID, replies and causes with line ends, controls and no end', () => {
    const evil = 'x\r\nAction: delivered\r\n\r\n--=_\0' + 'y'.repeat(5000)
    const report = buildReport({
      ...base,
      envid: evil,
      recipients: [
        { ...failed, orcpt: `rfc822;${evil}`, remote: evil, reply: { code: 550, lines: [evil, evil] } },
        { to: failed.to, action: 'failed', cause: evil, orcpt: evil },
      ],
    })
    const read = parseReport(report.bytes)
    expect(read?.recipients.map(r => r.action)).toEqual(['failed', 'failed'])
    expect(text(report)).not.toMatch(/^Action: delivered/m)
    expect(
      Math.max(
        ...text(report)
          .split('\r\n')
          .map(l => l.length),
      ),
    ).toBeLessThanOrEqual(998)
  })

  test('any reply and any ORCPT make a report that can be read again', () => {
    const noise = fc.string({ unit: 'binary', maxLength: 300 })
    const anything = fc.oneof(noise, fc.constantFrom('x'.repeat(5000), 'é'.repeat(5000), `a;${'y'.repeat(5000)}`))
    fc.assert(
      fc.property(anything, anything, anything, fc.boolean(), (said, orcpt, cause, smtputf8) => {
        const reply = { code: 550, enhanced: '5.1.1', lines: [said] }
        const recipients = [
          { ...failed, reply, orcpt, cause },
          { to: failed.to, action: 'failed' as const, cause },
        ]
        const report = buildReport({ ...base, smtputf8, envid: orcpt, recipients })
        expect(parseReport(report.bytes)?.recipients).toMatchObject([
          { finalRecipient: 'bob@example.org', action: 'failed', status: '5.1.1' },
          { finalRecipient: 'bob@example.org', action: 'failed', status: '5.0.0' },
        ])
      }),
    )
  })
})

describe('what goes back of the original', () => {
  const message = utf8('Subject: x\r\n\r\n' + 'body\r\n'.repeat(100))
  const streamed: Body = {
    size: message.length,
    async *open() {
      for (let at = 0; at < message.length; at += 7) yield message.subarray(at, at + 7)
    },
  }
  test.each([bodyOf(message), streamed])('is the whole when it is small and RET does not forbid it', async body => {
    expect(latin1((await originalOf(body)).whole ?? new Uint8Array())).toBe(latin1(message))
    expect(latin1((await originalOf(body, { ret: 'full' })).headers)).toBe('Subject: x\r\n\r\n')
  })

  test.each([bodyOf(message), streamed])('is the headers with RET=HDRS or over the limit', async body => {
    for (const o of [{ ret: 'hdrs' as const }, { limit: 50 }, { ret: 'full' as const, limit: 50 }]) {
      const got = await originalOf(body, o)
      expect(got.whole).toBeUndefined()
      expect(latin1(got.headers)).toBe('Subject: x\r\n\r\n')
    }
  })

  test('row 38: is cut at whole lines when the header has no end', async () => {
    const endless = utf8('X: y\r\n'.repeat(200_000))
    const { headers } = await originalOf(bodyOf(endless))
    expect(headers.length).toBeLessThanOrEqual(64 * 1024)
    expect(latin1(headers).endsWith('X: y\r\n')).toBe(true)
    expect(parseHeaders(headers).count('x')).toBe(Math.trunc((64 * 1024) / 6))
  })
})

test('who wants to hear: failures and delays unless told otherwise, successes when asked, never when never', () => {
  expect(wantsReport(undefined, 'failed')).toBe(true)
  expect(wantsReport(undefined, 'delayed')).toBe(true)
  expect(wantsReport(undefined, 'delivered')).toBe(false)
  expect(wantsReport('never', 'failed')).toBe(false)
  expect(wantsReport(['success'], 'failed')).toBe(false)
  expect(wantsReport(['success'], 'relayed')).toBe(true)
  expect(wantsReport(['success'], 'expanded')).toBe(true)
  expect(wantsReport(['failure'], 'delayed')).toBe(false)
  expect(wantsReport(['delay'], 'delayed')).toBe(true)
})
