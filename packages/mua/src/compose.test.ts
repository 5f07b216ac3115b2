import PostalMime from 'postal-mime'
import { describe, expect, test } from 'vitest'
import { composeMessage } from './compose.ts'

const text = async (draft: Parameters<typeof composeMessage>[0]): Promise<string> =>
  Buffer.from((await composeMessage(draft)).bytes).toString()

const plain = { from: 'Ann <ann@example.org>', to: ['bob@example.net'], subject: 'Hello', text: 'Hello, Bob.\n' }

describe('composing', () => {
  test('a message has the fields it must have, and CRLF at every line', async () => {
    const made = await text({ ...plain, date: new Date(0) })
    expect(made).toMatch(/^From: Ann <ann@example.org>\r\n/)
    expect(made).toContain('To: bob@example.net\r\n')
    expect(made).toContain('Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n')
    expect(made).toMatch(/Message-ID: <[^@>]+@example\.org>\r\n/)
    expect(made).toContain('MIME-Version: 1.0\r\n')
    expect(made.endsWith('\r\n\r\nHello, Bob.\r\n')).toBe(true)
    expect(made.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
  })

  test('the envelope names everybody once, and bcc stands in no header', async () => {
    const composed = await composeMessage({
      ...plain,
      cc: ['bob@example.net', 'C <c@example.net>'],
      bcc: ['secret@example.net'],
    })
    expect(composed.sender).toBe('ann@example.org')
    expect(composed.recipients).toEqual(['bob@example.net', 'c@example.net', 'secret@example.net'])
    expect(Buffer.from(composed.bytes).toString()).not.toContain('secret')
  })

  test('what goes in comes out of an independent reader: names, HTML, attachments', async () => {
    const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i % 256)
    const composed = await composeMessage({
      ...plain,
      subject: 'Grüße 😀',
      html: '<b>Hello</b>',
      replyTo: 'other@example.org',
      inReplyTo: '<a@b>',
      references: ['<x@y>', '<a@b>'],
      headers: { 'X-Extra': 'yes' },
      attachments: [
        { filename: 'Bücher.bin', content: bytes },
        { filename: 'n.txt', content: 'note' },
      ],
    })
    const read = await PostalMime.parse(composed.bytes)
    expect(read).toMatchObject({
      subject: 'Grüße 😀',
      html: '<b>Hello</b>\n',
      text: 'Hello, Bob.\n\n',
      inReplyTo: '<a@b>',
      references: '<x@y> <a@b>',
    })
    expect(read.headers.find(h => h.key === 'x-extra')?.value).toBe('yes')
    expect(read.attachments.map(a => [a.filename, a.mimeType])).toEqual([
      ['Bücher.bin', 'application/octet-stream'],
      ['n.txt', 'text/plain'],
    ])
    expect(new Uint8Array(read.attachments[0]?.content as ArrayBuffer)).toEqual(bytes)
  })

  test('a message without a text is still a message', async () => {
    expect(await text({ from: 'ann@example.org', to: ['b@example.net'] })).toMatch(/\r\n\r\n(\r\n)?$/)
  })

  test('a line break in a field does not begin another', async () => {
    const made = await text({ ...plain, subject: 'a\r\nBcc: x@y', headers: { 'X-A': 'b\r\nX-Evil: c' } })
    expect(made).not.toMatch(/^(Bcc|X-Evil):/m)
  })

  test('no file is read and no address visited for a draft', async () => {
    const attachments = [{ filename: 'x', content: 'y', path: '/etc/passwd' } as never]
    expect(await text({ ...plain, attachments })).not.toContain('root:')
  })

  test.each([
    [{ from: '', to: ['b@example.net'] }, 'is no sender address'],
    [{ from: 'ann@example.org' }, 'the message has no recipient'],
    [{ from: 'ann@example.org', to: ['not an address'] }, '"not an address" is no recipient address'],
    [{ from: 'ann@example.org', to: ['bob@example.net'], bcc: ['bib'] }, '"bib" is no recipient address'],
  ])('%j is refused', async (draft, message) => {
    await expect(composeMessage(draft)).rejects.toThrow(RangeError)
    await expect(composeMessage(draft)).rejects.toThrow(message)
  })
})
