import { describe, expect, test } from 'vitest'
import { bounceRules, classify, createClassifier, normaliseText, readRules } from './index.ts'
import type { BounceRule } from './index.ts'

const reply = (line: string) => {
  const [, code = '', enhanced, text = ''] = /^(\d{3}) (?:(\d\.\d+\.\d+) )?(.*)$/.exec(line) ?? []
  return { code: Number(code), lines: [text], ...(enhanced !== undefined && { enhanced }) }
}

describe('the reason of a refusal', () => {
  test.each([
    ['550 5.1.1 The email account that you tried to reach does not exist.', 'bad-mailbox'],
    ['550 5.1.1 <bob@example.org>: Recipient address rejected: User unknown in virtual mailbox table', 'bad-mailbox'],
    ['550 No such user here', 'bad-mailbox'],
    ['554 5.7.1 <bob@example.org>: Relay access denied', 'relaying-issues'],
    ['550 relay not permitted', 'relaying-issues'],
    ['552 5.2.2 The email account that you tried to reach is over quota.', 'quota-issues'],
    ['452 4.2.2 Mailbox full', 'quota-issues'],
    ['550 5.2.1 The email account that you tried to reach is disabled.', 'inactive-mailbox'],
    ['554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org', 'spam-block'],
    ['550 5.7.1 Our system has detected that this message is likely unsolicited mail.', 'spam-content'],
    [
      "550 5.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy.",
      'authentication-failed',
    ],
    ['550 5.7.0 Message contains a virus', 'virus-related'],
    [
      '552 5.7.0 This message was blocked because its content presents a potential security issue',
      'prohibited-attachment',
    ],
    ['421 4.7.28 Our system has detected an unusual rate of unsolicited mail', 'spam-content'],
    ['450 4.2.0 Greylisted, try again later', 'policy-related'],
    ['556 5.1.10 Recipient domain accepts no mail', 'bad-domain'],
    ['552 5.3.4 Message too big', 'content-related'],
    ['452 4.5.3 Too many recipients', 'too-many-recipients'],
    ['553 5.1.8 Bad sender domain', 'invalid-sender'],
    ['503 5.5.1 Bad sequence', 'protocol-errors'],
    ['451 4.3.0 Temporary failure', 'transient-failure'],
    ['451 Temporary local problem', 'transient-failure'],
    ['550 Go away', 'bad-mailbox'],
    ['599 What?', 'other'],
  ])('%s is %s', (line, expected) => {
    expect(classify({ reply: reply(line), phase: 'rcpt' }).class).toBe(expected)
  })

  test.each([
    [{ phase: 'dns', status: '4.4.3', cause: 'servfail' }, 'dns-failure'],
    [{ phase: 'connect', status: '4.4.1', cause: 'connection refused' }, 'no-answer-from-host'],
    [{ phase: 'dns', status: '5.1.10', cause: 'null MX' }, 'bad-domain'],
    [{ phase: 'dns', status: '5.4.6', cause: 'loop' }, 'routing-errors'],
    [{ phase: 'rcpt', status: '4.4.7', cause: 'expired' }, 'message-expired'],
    [{ phase: 'data', status: '4.4.2', cause: 'connection lost' }, 'bad-connection'],
    [{}, 'other'],
  ])('without a reply, %o is %s', (failure, expected) => {
    expect(classify(failure).class).toBe(expected)
  })

  test('rules of the operator come first, with classes of their own', () => {
    const own: BounceRule = { name: 'pigeons', class: 'carrier-pigeon', text: 'Pigeon' }
    const failure = { reply: reply('550 5.1.1 Pigeon unknown user') }
    expect(createClassifier([own, ...bounceRules])(failure)).toEqual({ class: 'carrier-pigeon', rule: 'pigeons' })
    expect(classify(failure)).toEqual({ class: 'bad-mailbox', rule: 'mailbox-text-and-status' })
  })

  test('a provider’s own words count at its hosts only', () => {
    const failure = { reply: reply('550 5.7.1 Refused (S3150)'), phase: 'mail' }
    expect(classify({ ...failure, remote: 'a.mail.protection.OUTLOOK.com[192.0.2.1]:25' }).rule).toBe(
      'outlook-block-list',
    )
    expect(classify({ ...failure, remote: 'notoutlook.com[192.0.2.1]:25' }).rule).not.toBe('outlook-block-list')
    expect(classify(failure).rule).not.toBe('outlook-block-list')
  })

  test('our own rules are such as an operator could write, and each has a name of its own', () => {
    expect(readRules(bounceRules)).toMatchObject({ ok: true })
  })

  test('a hostile text costs bounded time', () => {
    const started = performance.now()
    for (const text of [
      'user '.repeat(100_000),
      'a'.repeat(1_000_000),
      'no such '.repeat(50_000),
      ':'.repeat(100_000),
      '1.'.repeat(100_000),
    ]) {
      classify({ reply: { code: 550, lines: [text] } })
      normaliseText(text)
    }
    expect(performance.now() - started).toBeLessThan(500)
  })
})

test('texts that differ only in names, addresses and ids become one', () => {
  expect(
    normaliseText('<bob@example.org>: blocked 192.0.2.1, see https://x.example/?q=1 (id 4XyZ12345-abc)  now'),
  ).toBe('<address>: blocked <ip>, see <url> (id <id>) now')
  expect(normaliseText('from 2001:db8:0:0:0:0:0:1 try')).toBe('from <ip> try')
})
