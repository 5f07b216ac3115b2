import { describe, expect, test } from 'vitest'
import type { Mailbox } from '@posthorn/address'
import { dateTime, newMessageId, receivedField } from './index.ts'

const date = Date.UTC(2026, 10, 3, 4, 5, 6)
const box = (wire: string): Mailbox => {
  const at = wire.lastIndexOf('@')
  return { local: wire.slice(0, at), domain: wire.slice(at + 1), wire } as Mailbox
}
const text = (t: Parameters<typeof receivedField>[0]): string => Buffer.from(receivedField(t).raw).toString()
const base = { helo: 'client.example', ip: '192.0.2.1', by: 'mx.example.org', protocol: 'ESMTP', id: 'abc123', date }

describe('the trace field', () => {
  test('says from, by, with, id, for and when', () => {
    expect(text({ ...base, for: box('bob@example.org') })).toBe(
      'Received: from client.example ([192.0.2.1])\r\n' +
        '\tby mx.example.org (Posthorn) with ESMTP id abc123\r\n' +
        '\tfor <bob@example.org>;\r\n' +
        '\tTue, 03 Nov 2026 04:05:06 +0000\r\n',
    )
  })

  test('names the TLS cipher by its registered clause, or in a comment when the name is not registered', () => {
    const tls = (cipher: string): string => text({ ...base, tls: { version: 'TLSv1.3', cipher } })
    expect(tls('TLS_AES_256_GCM_SHA384')).toContain('\r\n\ttls TLS_AES_256_GCM_SHA384 (TLSv1.3);')
    expect(tls('ECDHE-RSA-AES128-GCM-SHA256')).toContain('\r\n\t(TLSv1.3 ECDHE-RSA-AES128-GCM-SHA256);')
  })

  test('writes an IPv6 address as a literal', () => {
    expect(text({ ...base, ip: '2001:db8::1' })).toContain('([IPv6:2001:db8::1])')
  })

  test('a hostile HELO cannot leave its place', () => {
    const first = text({ ...base, helo: 'x) by (evil\r\nBcc: a@b <"' }).split('\r\n')[0]
    expect(first).toBe('Received: from x??by??evil??Bcc:?a?b??? ([192.0.2.1])')
    expect(text({ ...base, helo: '' })).toContain('from unknown (')
    expect(text({ ...base, helo: 'é'.repeat(10_000) }).length).toBeLessThan(600)
  })

  test('mail that began here has no from clause', () => {
    expect(text({ by: 'mx.example.org', id: 'x', date })).toBe(
      'Received: by mx.example.org (Posthorn) id x;\r\n\tTue, 03 Nov 2026 04:05:06 +0000\r\n',
    )
  })

  test('a recipient beyond ASCII is named in an SMTPUTF8 trace only', () => {
    expect(text({ ...base, for: box('gr\u00fc@example.org') })).not.toContain('for <')
    expect(text({ ...base, protocol: 'UTF8SMTP', for: box('gr\u00fc@example.org') })).toContain(
      'for <gr\u00fc@example.org>',
    )
  })
})

test('a date is in UTC, as RFC 5322 has it', () => {
  expect(dateTime(0)).toBe('Thu, 01 Jan 1970 00:00:00 +0000')
  expect(() => dateTime(Number.NaN)).toThrow(RangeError)
})

test('a message id is unique by time and chance and stands in angle brackets', () => {
  const random = { bytes: (n: number) => new Uint8Array(n).fill(7) }
  expect(newMessageId(random, 36 ** 3, 'example.org')).toBe(`<1000.${'07'.repeat(10)}@example.org>`)
})
