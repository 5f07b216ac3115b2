import { describe, expect, test } from 'vitest'
import * as fc from 'fast-check'
import { utf8 } from '@posthorn/message'
import { classify, failureOf, readBounce, readComplaint } from './index.ts'

const message = (...lines: readonly string[]): Uint8Array => utf8(lines.join('\r\n'))
const returned = ['Received: by mx.example.org (Posthorn) id Q1;', 'Message-ID: <a@b>', '', 'secret']

const qmail = message(
  'From: MAILER-DAEMON@far.test',
  'Subject: failure notice',
  '',
  'Hi. This is the mail program at far.test.',
  'I could not bring your message to these addresses.',
  '',
  '<bob@far.test>:',
  '192.0.2.1 does not like recipient.',
  'Remote host said: 550 5.1.1 No such user',
  '',
  '<carol@far.test>:',
  'Sorry, the mailbox is full. (#5.2.2)',
  '',
  '--- Below this line is a copy of the message.',
  '',
  ...returned,
)
const exim = message(
  'X-Failed-Recipients: bob@far.test',
  'Content-Type: text/plain; charset=us-ascii',
  'Content-Transfer-Encoding: quoted-printable',
  '',
  'This message was created automatically by mail delivery software.',
  '',
  'The following address(es) failed:',
  '',
  '  bob@far.test',
  '    (generated from info@far.test)',
  '    host mx.far.test [192.0.2.1]: 550 =',
  'relay not permitted',
  '',
  '------ This is a copy of the message, including all the headers. ------',
  '',
  ...returned,
)
const exchange = message(
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  'Content-Type: text/plain',
  '',
  'Your message',
  '',
  '  To:      bob@far.test',
  '',
  'did not reach the following recipient(s):',
  '',
  'bob@far.test on Mon, 3 Mar 2003 10:00:00 +0100',
  '    The recipient name is not recognized',
  '\tThe MTS-ID of the original message is: c=xx;a= ;p=far',
  '    MSEXCH:IMS:Far:FAR:MAIL 0 (000C05A6) Unknown Recipient',
  '',
  '--b',
  'Content-Type: message/rfc822',
  '',
  ...returned,
  '--b--',
)

describe('a bounce that is written for people', () => {
  test('by qmail is read, with what was said of each recipient', () => {
    expect(readBounce(qmail)).toMatchObject({
      form: 'qmail',
      recipients: [
        { finalRecipient: 'bob@far.test', action: 'failed', status: '5.1.1' },
        { finalRecipient: 'carol@far.test', action: 'failed', status: '5.2.2' },
      ],
    })
  })
  test('by Exim is read, through its encoding', () => {
    expect(readBounce(exim)?.recipients).toEqual([
      {
        finalRecipient: 'bob@far.test',
        action: 'failed',
        status: '5.0.0',
        diagnostic: '(generated from info@far.test) host mx.far.test [192.0.2.1]: 550 relay not permitted',
      },
    ])
  })
  test('by Exim of a delay is one of a delay', () => {
    const text = new TextDecoder()
      .decode(exim)
      .replace('The following address(es) failed', 'It has not yet been delivered')
    expect(readBounce(utf8(text))?.recipients[0]).toMatchObject({ action: 'delayed', status: '4.0.0' })
  })
  test('by old Exchange is read, and its other form', () => {
    expect(readBounce(exchange)).toMatchObject({
      form: 'exchange',
      recipients: [{ finalRecipient: 'bob@far.test', diagnostic: expect.stringContaining('Unknown Recipient') }],
    })
    const other = message(
      '',
      'The following recipient(s) could not be reached:',
      '',
      "      'bob@far.test' on 3/3/2003 10:00 AM",
      '            There is no such account here.',
      '            <mx.far.test #5.1.1 smtp;550 5.1.1 unknown user>',
    )
    expect(readBounce(other)?.recipients[0]).toMatchObject({ finalRecipient: 'bob@far.test', status: '5.1.1' })
  })
  test.each([
    ['qmail', qmail],
    ['Exim', exim],
    ['Exchange', exchange],
  ])('by %s has the head of the message that it returns, and nothing of its text', (_, bytes) => {
    const original = readBounce(bytes)?.original
    expect(original?.first('message-id')).toBe('<a@b>')
    expect(original?.first('received')).toContain('id Q1')
    expect(original?.names()).toHaveLength(2)
  })
  test.each([
    ['qmail', qmail, ['bad-mailbox', 'quota-issues']],
    ['Exim', exim, ['relaying-issues']],
    ['Exchange', exchange, ['bad-mailbox']],
  ])('by %s is classified by what it quotes', (_, bytes, classes) => {
    expect(readBounce(bytes)?.recipients.map(r => classify(failureOf(r)).class)).toEqual(classes)
  })
  test('is none when it is anything else', () => {
    for (const text of [
      '\r\nI am on holiday',
      'no head',
      'Subject: Hi. This is\r\n\r\nHi there',
      '\r\nHi. This is Bob.',
    ])
      expect(readBounce(utf8(text))).toBeUndefined()
  })
  test('row 39: never throws and takes no long time, whatever it is made of', () => {
    const lines = [
      'Hi. This is',
      '<a@b.example>:',
      '  a@b.example',
      'a@b.example on x',
      '---',
      '    550 x',
      'did not reach the following recipient(s):',
    ]
    const long = (line: string): Uint8Array => message('', 'Hi. This is', ...Array.from({ length: 50_000 }, () => line))
    for (const line of lines) expect(readBounce(long(line))?.recipients.length ?? 0).toBeLessThanOrEqual(100)
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...lines, '', ' ', '=', 'created automatically by mail delivery software'), {
          maxLength: 30,
        }),
        some => {
          expect(() => readBounce(message('', ...some))).not.toThrow()
        },
      ),
    )
  })
})

describe('a complaint (RFC 5965)', () => {
  const arf = (type: string): Uint8Array =>
    message(
      `Content-Type: multipart/report; report-type=${type}; boundary="b"`,
      '',
      '--b',
      '',
      'A user complained.',
      '--b',
      'Content-Type: message/feedback-report',
      '',
      'Feedback-Type: abuse',
      'User-Agent: Loop/1.0',
      'Version: 1',
      'Original-Mail-From: <ann@example.org>',
      'Original-Rcpt-To: <bob@far.test>',
      '',
      '--b',
      'Content-Type: message/rfc822',
      '',
      ...returned,
      '--b--',
    )
  test('is read with what it is about', () => {
    const read = readComplaint(arf('feedback-report'))
    expect(read).toMatchObject({
      type: 'abuse',
      userAgent: 'Loop/1.0',
      mailFrom: 'ann@example.org',
      recipients: ['bob@far.test'],
    })
    expect(read?.original?.first('message-id')).toBe('<a@b>')
  })
  test('is none when it is another report or nothing of the kind', () => {
    expect(readComplaint(arf('delivery-status'))).toBeUndefined()
    expect(readComplaint(qmail)).toBeUndefined()
    expect(readComplaint(utf8('x'))).toBeUndefined()
    expect(readBounce(arf('feedback-report'))).toBeUndefined()
  })
})
