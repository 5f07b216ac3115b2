import { join } from 'node:path'
import { createMaildir, deliver, type Maildir } from 'maildir-parse'
import { describe, expect, test } from 'vitest'
import { scratch } from '../test/scratch.ts'
import { composeMessage } from './compose.ts'
import { listMailbox, readMessage, setFlags } from './mailbox.ts'
import { forTerminal, oneLine } from './printable.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
let second = 1_700_000_000
const mailbox = async (): Promise<Maildir> =>
  createMaildir(join(await scratch(), 'ann'), { sync: false, names: { now: () => second++ * 1000, host: 'h' } })
const put = async (m: Maildir, text: string): Promise<string> =>
  (await deliver(m, [utf8(text.replaceAll('\n', '\r\n'))])).file

describe('a list', () => {
  test('shows the newest first, decoded, with sizes and flags', async () => {
    const m = await mailbox()
    const first = await put(m, 'From: Bob <bob@example.net>\nTo: ann@example.org\nSubject: one\n\nbody')
    await put(
      m,
      'From: =?utf-8?q?J=C3=BCrgen?= <j@example.net>\nTo: a@b.org, C <c@d.org>\nSubject: =?utf-8?b?8J+YgA==?=\n two\n\nx',
    )
    await setFlags(m.path, first, { add: 'SF' })
    const list = await listMailbox(m.path)
    expect(list).toMatchObject([
      { from: 'Jürgen <j@example.net>', to: 'a@b.org, C <c@d.org>', subject: '😀 two', unseen: true, flags: '' },
      { from: 'Bob <bob@example.net>', subject: 'one', unseen: false, flags: 'FS', size: 70, id: first },
    ])
    expect(await listMailbox(m.path, { unseen: true })).toHaveLength(1)
  })

  test('has no more than was asked for, and these are the newest', async () => {
    const m = await mailbox()
    for (let i = 0; i < 300; i++) await put(m, `Subject: ${i}\n\n`)
    expect((await listMailbox(m.path, { limit: 3 })).map(l => l.subject)).toEqual(['299', '298', '297'])
    expect(await listMailbox(m.path)).toHaveLength(50)
  })

  test('shows no escape sequence and no line break of a sender', async () => {
    const m = await mailbox()
    await put(m, 'From: =?utf-8?q?=1B]0;owned=07?= <x@y.org>\nSubject: =?utf-8?q?a=0D=0Ab=1B[2J=E2=80=AEc?=\n\n')
    const [one] = await listMailbox(m.path)
    expect(`${one?.subject}${one?.from}`).not.toMatch(/[\p{Cc}\u202e]/u)
  })

  test('of what is no Maildir says so', async () => {
    await expect(listMailbox(join(await scratch(), 'none'))).rejects.toMatchObject({
      name: 'MaildirError',
      fault: 'gone',
    })
  })
})

describe('a message', () => {
  test('is taken apart into text, HTML and attachments', async () => {
    const m = await mailbox()
    const draft = await composeMessage({
      from: 'Bob <bob@example.net>',
      to: ['ann@example.org'],
      cc: ['c@example.org'],
      subject: 'Grüße',
      text: 'Schön.\n',
      html: '<p>Schön.</p>',
      attachments: [{ filename: 'a.bin', content: Uint8Array.of(0, 255, 10, 13) }],
      date: new Date(0),
    })
    const { file } = await deliver(m, [draft.bytes])
    const message = await readMessage(m.path, file)
    expect(message).toMatchObject({
      subject: 'Grüße',
      cc: 'c@example.org',
      text: 'Schön.\n\n',
      html: '<p>Schön.</p>\n',
      date: '1970-01-01T00:00:00.000Z',
    })
    expect(message?.attachments).toEqual([
      { filename: 'a.bin', contentType: 'application/octet-stream', content: Uint8Array.of(0, 255, 10, 13) },
    ])
    expect(Buffer.from(message?.bytes ?? []).equals(draft.bytes)).toBe(true)
  })

  test.each([
    [
      'iso-8859-1',
      'Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nSch=F6n',
      'Schön',
    ],
    ['base64', 'Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nU2Now7Zu\n', 'Schön'],
    ['no MIME at all', 'Subject: x\n\nplain', 'plain'],
  ])('is decoded: %s', async (_what, text, expected) => {
    const m = await mailbox()
    expect((await readMessage(m.path, await put(m, text)))?.text?.trim()).toBe(expected)
  })

  test('is named by any beginning of its id that no other has', async () => {
    const m = await mailbox()
    const id = await put(m, 'Subject: one\n\n')
    await put(m, 'Subject: two\n\n')
    expect((await readMessage(m.path, id.slice(0, 11)))?.subject).toBe('one')
    expect(await readMessage(m.path, id.slice(0, 5))).toBeUndefined()
    expect(await readMessage(m.path, '')).toBeUndefined()
    expect(await readMessage(m.path, '../../etc/passwd')).toBeUndefined()
  })

  test('row 39: MIME nested 10,000 deep is listed and read, without its parts', async () => {
    const m = await mailbox()
    const deep = Array.from(
      { length: 10_000 },
      (_, i) => `Content-Type: multipart/mixed; boundary=b${i}\n\n--b${i}\n`,
    ).join('')
    const id = await put(m, `Subject: deep\n${deep}`)
    expect(await listMailbox(m.path)).toHaveLength(1)
    expect((await readMessage(m.path, id))?.attachments).toEqual([])
  })

  test('row 38: 100,000 header lines are bounded', async () => {
    const m = await mailbox()
    const id = await put(m, `${'X-Header: something\n'.repeat(100_000)}\nbody`)
    expect(await listMailbox(m.path)).toHaveLength(1)
    expect((await readMessage(m.path, id))?.subject).toBe('(cannot be read)')
  })
})

describe('flags', () => {
  test('are set, added and removed, and say what they are now', async () => {
    const m = await mailbox()
    const id = await put(m, 'Subject: x\n\n')
    expect(await setFlags(m.path, id, { add: 'S' })).toBe('S')
    expect(await setFlags(m.path, id, { add: 'F', remove: 'S' })).toBe('F')
    expect(await setFlags(m.path, 'none', { add: 'S' })).toBeUndefined()
    await expect(setFlags(m.path, id, { add: '/' })).rejects.toThrow('flags are letters')
  })
})

describe('text for a terminal', () => {
  test('has no control characters but tab and line feed, and keeps everything else', () => {
    expect(forTerminal('a\tb\r\nc\u001b[31md\u009be\u202ef\u0000 😀 ü')).toBe(
      'a\tb\nc\ufffd[31md\ufffde\ufffdf\ufffd 😀 ü',
    )
    expect(oneLine(' a\r\n\tb ')).toBe('a b')
  })
})
