import { mkdir, readdir, readFile, rename, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { collect, scratch } from '../test/scratch.ts'
import { expungeMessage, expungeTrashed, flagMessage } from './change.ts'
import { cleanTmp } from './clean.ts'
import { deliver } from './deliver.ts'
import { byArrival, findMessage, listMessages, type MaildirEntry } from './list.ts'
import { createMaildir, type Maildir } from './maildir.ts'
import { messageSize, readHeader, readMessage } from './read.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const maildir = async (): Promise<Maildir> => createMaildir(join(await scratch(), 'm'), { sync: false })
const list = (m: Maildir): Promise<MaildirEntry[]> => collect(listMessages(m))
const only = async (m: Maildir): Promise<MaildirEntry> => {
  const [first] = await list(m)
  if (first === undefined) throw new Error('there is no message')
  return first
}
const text = async (m: Maildir, e: MaildirEntry): Promise<string> =>
  Buffer.concat(await collect(readMessage(m, e))).toString()

describe('listing', () => {
  test('messages of new and cur are listed with their flags, and sort by arrival', async () => {
    const m = await maildir()
    await writeFile(join(m.path, 'cur', '20.b.h:2,FS'), '')
    await writeFile(join(m.path, 'cur', '10.a.h:2,'), '')
    await writeFile(join(m.path, 'new', '30.c.h'), '')
    const entries = (await list(m)).sort(byArrival)
    expect(entries.map(e => [e.place, e.name.base, e.name.flags])).toEqual([
      ['cur', '10.a.h', ''],
      ['cur', '20.b.h', 'FS'],
      ['new', '30.c.h', ''],
    ])
    expect((await collect(listMessages(m, { place: 'new' }))).map(e => e.file)).toEqual(['30.c.h'])
  })

  test('hidden files, directories and links are no messages', async () => {
    const m = await maildir()
    await writeFile(join(m.path, 'secret'), 'not yours')
    await writeFile(join(m.path, 'cur', '.nfs0001'), '')
    await mkdir(join(m.path, 'cur', '1.dir.h'))
    await symlink(join(m.path, 'secret'), join(m.path, 'cur', '1.link.h'))
    expect(await list(m)).toEqual([])
  })

  test('1,000 messages are listed although names are read a few at a time', async () => {
    const m = await maildir()
    for (let i = 0; i < 1000; i++) await writeFile(join(m.path, 'new', `${i}.x.h`), '')
    expect(new Set((await list(m)).map(e => e.file)).size).toBe(1000)
  })
})

describe('reading', () => {
  test('the whole comes in chunks of bounded size', async () => {
    const m = await maildir()
    await deliver(m, [new Uint8Array(200_000).fill(97)])
    const chunks = await collect(readMessage(m, await only(m)))
    expect(Math.max(...chunks.map(c => c.byteLength))).toBeLessThanOrEqual(65_536)
    expect(chunks.reduce((sum, c) => sum + c.byteLength, 0)).toBe(200_000)
  })

  test.each([
    ['CRLF', 'A: b\r\nC: d\r\n\r\n'],
    ['LF', 'A: b\nC: d\n\n'],
    ['none', '\r\n'],
  ])('the header block ends at its empty line: %s', async (_what, header) => {
    const m = await maildir()
    await deliver(m, [utf8(header), utf8('body\r\n\r\nmore')])
    expect(Buffer.from(await readHeader(m, await only(m))).toString()).toBe(header)
  })

  test('a header block across a chunk is found, and one without end is cut', async () => {
    const m = await maildir()
    const header = `X: ${'y'.repeat(65_529)}\r\n\r\n`
    await deliver(m, [utf8(header), utf8('body')])
    expect((await readHeader(m, await only(m))).byteLength).toBe(header.length)
    expect((await readHeader(m, await only(m), { limit: 1000 })).byteLength).toBe(1000)
    const other = await maildir()
    await deliver(other, [utf8('no empty line')])
    expect((await readHeader(other, await only(other))).byteLength).toBe(13)
  })

  test('the size comes from the name, or from the disk for names of other programs', async () => {
    const m = await maildir()
    await writeFile(join(m.path, 'new', '1.a.h'), '12345')
    expect(await messageSize(m, await only(m))).toBe(5)
    expect(await messageSize(m, { ...(await only(m)), name: { base: 'x', flags: '', size: 7 } })).toBe(7)
  })

  test('a message that was moved since the listing is found again', async () => {
    const m = await maildir()
    await deliver(m, [utf8('hello')])
    const entry = await only(m)
    await rename(join(m.path, 'new', entry.file), join(m.path, 'cur', `${entry.file}:2,S`))
    expect(await text(m, entry)).toBe('hello')
  })

  test('a message that is not there says gone', async () => {
    const m = await maildir()
    const entry: MaildirEntry = { place: 'cur', file: 'x:2,', name: { base: 'x', info: '2,', flags: '' } }
    await expect(text(m, entry)).rejects.toMatchObject({ name: 'MaildirError', fault: 'gone' })
  })

  test('a file that became a link after the listing is not followed', async () => {
    const m = await maildir()
    await writeFile(join(m.path, 'secret'), 'not yours')
    await symlink(join(m.path, 'secret'), join(m.path, 'cur', '1.a.h:2,'))
    const entry: MaildirEntry = { place: 'cur', file: '1.a.h:2,', name: { base: '1.a.h', info: '2,', flags: '' } }
    await expect(text(m, entry)).rejects.toMatchObject({ fault: 'invalid' })
  })
})

describe('changing', () => {
  test('a flagged message moves to cur under the same base', async () => {
    const m = await maildir()
    await deliver(m, [utf8('x')])
    const entry = await only(m)
    const seen = await flagMessage(m, entry, { add: 'S' })
    expect(seen).toMatchObject({ place: 'cur', file: `${entry.name.base}:2,S` })
    expect(await flagMessage(m, seen, { add: 'Fa', remove: 'S' })).toMatchObject({ file: `${entry.name.base}:2,Fa` })
    expect((await list(m)).map(e => e.name.flags)).toEqual(['Fa'])
  })

  test('a stale entry changes the flags as they are now, not as they were', async () => {
    const m = await maildir()
    await deliver(m, [utf8('x')])
    const stale = await only(m)
    await flagMessage(m, stale, { add: 'F' })
    expect((await flagMessage(m, stale, { add: 'S' })).name.flags).toBe('FS')
  })

  test('flags that are no letters are refused before anything is touched', async () => {
    const m = await maildir()
    await deliver(m, [utf8('x')])
    await expect(flagMessage(m, await only(m), { add: '/../x' })).rejects.toThrow('flags are letters')
    expect((await only(m)).place).toBe('new')
  })

  test('an expunged message is gone, and a second time says so', async () => {
    const m = await maildir()
    await deliver(m, [utf8('x')])
    const entry = await only(m)
    await expungeMessage(m, entry)
    expect(await findMessage(m, entry.name.base)).toBeUndefined()
    await expect(expungeMessage(m, entry)).rejects.toMatchObject({ fault: 'gone' })
  })

  test('only trashed messages are expunged together', async () => {
    const m = await maildir()
    for (const flags of ['T', 'S', 'ST', '']) await writeFile(join(m.path, 'cur', `1.${flags}.h:2,${flags}`), '')
    expect(await expungeTrashed(m)).toBe(2)
    expect((await readdir(join(m.path, 'cur'))).sort()).toEqual(['1..h:2,', '1.S.h:2,S'])
  })
})

describe('the cleaner', () => {
  test('takes what lay in tmp for 36 hours and leaves the rest', async () => {
    const m = await maildir()
    const now = Date.UTC(2026, 0, 10)
    for (const [name, hours] of [
      ['dead', 37],
      ['slow', 35],
    ] as const) {
      await writeFile(join(m.path, 'tmp', name), '')
      const at = new Date(now - hours * 3_600_000)
      await utimes(join(m.path, 'tmp', name), at, at)
    }
    await mkdir(join(m.path, 'tmp', 'directory'))
    expect(await cleanTmp(m, { now })).toBe(1)
    expect((await readdir(join(m.path, 'tmp'))).sort()).toEqual(['directory', 'slow'])
  })

  test('a file read lately or written lately is left', async () => {
    const m = await maildir()
    const path = join(m.path, 'tmp', 'x')
    await writeFile(path, 'x')
    await utimes(path, new Date(0), new Date(1_000_000_000))
    expect(await cleanTmp(m, { now: 1_000_000_000 + 36 * 3_600_000 })).toBe(0)
    expect(await readFile(path, 'utf8')).toBe('x')
  })
})
