import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { collect, faultyFiles, scratch } from '../test/scratch.ts'
import { deliver, deliverBatch } from './deliver.ts'
import { systemFiles, type Files } from './files.ts'
import { listMessages } from './list.ts'
import { createMaildir, type Maildir, type MaildirOptions } from './maildir.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const maildir = async (o: MaildirOptions = {}): Promise<Maildir> => createMaildir(join(await scratch(), 'm'), o)
const inNew = (m: Maildir): Promise<string[]> => readdir(join(m.path, 'new'))
const inTmp = (m: Maildir): Promise<string[]> => readdir(join(m.path, 'tmp'))

describe('delivering', () => {
  test('the parts are one file in new, for the owner alone, with its size in the name', async () => {
    const m = await maildir()
    const { file, size } = await deliver(m, [utf8('A: b\r\n'), utf8('\r\nbody\r\n')])
    const path = join(m.path, 'new', file)
    expect(await readFile(path, 'utf8')).toBe('A: b\r\n\r\nbody\r\n')
    expect(size).toBe(14)
    expect(file).toMatch(/^\d+\.M\d+P\d+Q\d+R[0-9a-f]{16}\..+,S=14$/)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await inTmp(m)).toEqual([])
  })

  test('the order on the disk is content, sync, close, move, sync of the directory', async () => {
    const files = faultyFiles('create', 'EIO', 99)
    const m = await maildir({ files })
    files.calls.length = 0
    await deliver(m, [utf8('x')])
    expect(files.calls).toEqual(['create', 'write', 'sync', 'close', 'rename', 'openDirectory', 'sync', 'close'])
  })

  test('without sync nothing is synced', async () => {
    const files = faultyFiles('sync', 'EIO')
    const m = await maildir({ files, sync: false })
    await deliver(m, [utf8('x')])
    expect((await deliverBatch(m, [[utf8('x')]])).every(r => r.ok)).toBe(true)
  })

  test('a stream is delivered whole, and pulled no further than the disk has written', async () => {
    let pulled = 0
    let written = 0
    let furthest = 0
    const files: Files = {
      ...systemFiles,
      write: async (fd, parts) => {
        furthest = Math.max(furthest, pulled - written)
        const size = await systemFiles.write(fd, parts)
        written += size
        return size
      },
    }
    const m = await maildir({ files })
    const chunk = new Uint8Array(64 * 1024).fill(120)
    const stream = async function* (): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 64; i++) {
        pulled += chunk.byteLength
        yield chunk
        yield new Uint8Array(0)
      }
    }
    const { size } = await deliver(m, stream())
    expect(size).toBe(4 * 1024 * 1024)
    expect(furthest).toBeLessThanOrEqual(256 * 1024)
  })

  test('a disk that takes a few octets at a time still gets all of them, in order', async () => {
    const files: Files = {
      ...systemFiles,
      write: (fd, parts) => systemFiles.write(fd, [Buffer.concat(parts).subarray(0, 3)]),
    }
    const m = await maildir({ files })
    const { file } = await deliver(m, [utf8('ab'), utf8('cdefg'), utf8(''), utf8('h')])
    expect(await readFile(join(m.path, 'new', file), 'utf8')).toBe('abcdefgh')
  })

  test('CRLF becomes LF when asked for, also across chunks, and lone CR and LF stay', async () => {
    const m = await maildir()
    const text = 'a\r\nb\rc\nd\r\r\n\r\ne\r'
    const octets = Array.from(text, c => utf8(c))
    const stream = async function* (): AsyncGenerator<Uint8Array> {
      yield* octets
    }
    for (const content of [[utf8(text)], octets, stream()]) {
      const { file, size } = await deliver(m, content, { lines: 'lf' })
      expect(await readFile(join(m.path, 'new', file), 'utf8')).toBe('a\nb\rc\nd\r\n\ne\r')
      expect(file).toContain(`,S=${size}`)
    }
  })

  test('200 deliveries at once by five deliverers make 200 files', async () => {
    const m = await maildir()
    const { path } = m
    const maildirs = await Promise.all(
      Array.from({ length: 5 }, (_, i) => createMaildir(path, { names: { pid: i, now: () => 0 } })),
    )
    const done = await Promise.all(Array.from({ length: 200 }, (_, i) => deliver(maildirs[i % 5] ?? m, [utf8(`${i}`)])))
    expect(new Set(done.map(d => d.file)).size).toBe(200)
    const contents = await Promise.all(
      (await readdir(join(path, 'new'))).map(f => readFile(join(path, 'new', f), 'utf8')),
    )
    expect(new Set(contents).size).toBe(200)
  })

  test('a name that is taken is never written over', async () => {
    const m = await maildir({ names: { next: () => 'taken' } })
    await writeFile(join(m.path, 'tmp', 'taken'), 'another delivery')
    await expect(deliver(m, [utf8('x')])).rejects.toMatchObject({ name: 'MaildirError', fault: 'io' })
    expect(await readFile(join(m.path, 'tmp', 'taken'), 'utf8')).toBe('another delivery')
  })

  test('deliveries at once share syncs of the directory', async () => {
    const files = faultyFiles('create', 'EIO', 999)
    const m = await maildir({ files })
    files.calls.length = 0
    await Promise.all(Array.from({ length: 40 }, () => deliver(m, [utf8('x')])))
    expect(files.calls.filter(c => c === 'openDirectory').length).toBeLessThan(40)
  })

  test('a delivery that is aborted leaves nothing', async () => {
    const m = await maildir()
    const stop = new AbortController()
    const stream = async function* (): AsyncGenerator<Uint8Array> {
      yield utf8('one')
      stop.abort()
      yield utf8('two')
    }
    await expect(deliver(m, stream(), { signal: stop.signal })).rejects.toMatchObject({ fault: 'aborted' })
    await expect(deliver(m, [utf8('x')], { signal: stop.signal })).rejects.toMatchObject({ fault: 'aborted' })
    expect([...(await inNew(m)), ...(await inTmp(m))]).toEqual([])
  })

  test('a source that fails leaves nothing, and is not taken for a Maildir that is missing', async () => {
    const m = await maildir()
    const stream = async function* (): AsyncGenerator<Uint8Array> {
      yield utf8('one')
      throw Object.assign(new Error('cut'), { code: 'ENOENT' })
    }
    await expect(deliver(m, stream())).rejects.toMatchObject({ name: 'MaildirError', fault: 'source' })
    expect([...(await inNew(m)), ...(await inTmp(m))]).toEqual([])
  })
})

describe('a disk that fails', () => {
  test.each([
    ['create', 'ENOSPC', 'full'],
    ['create', 'EDQUOT', 'quota'],
    ['write', 'ENOSPC', 'full'],
    ['write', 'EDQUOT', 'quota'],
    ['write', 'EIO', 'io'],
    ['sync', 'EIO', 'io'],
    ['sync', 'ENOSPC', 'full'],
    ['close', 'EIO', 'io'],
    ['close', 'EDQUOT', 'quota'],
    ['rename', 'EROFS', 'io'],
    ['openDirectory', 'EMFILE', 'io'],
  ] as const)('row 47: %s with %s is told as %s, and no message is there', async (call, code, fault) => {
    const m = await maildir()
    const broken = { ...m, files: faultyFiles(call, code) }
    const files = broken.files
    const faulty = await createMaildir(m.path, { files, sync: false }).then(() => createMaildir(m.path, { files }))
    await expect(deliver(faulty, [utf8('x')])).rejects.toMatchObject({ name: 'MaildirError', fault })
    expect([...(await inNew(m)), ...(await inTmp(m))]).toEqual([])
  })

  test('row 47: a disk that takes nothing more is full', async () => {
    const m = await maildir({ files: { ...systemFiles, write: async () => 0 } })
    await expect(deliver(m, [utf8('x')])).rejects.toMatchObject({ fault: 'full' })
  })

  test('row 47: a failed sync of new is not tried again, and the message is taken back', async () => {
    const m = await maildir()
    const files = faultyFiles('sync', 'EIO', 2)
    const faulty = await createMaildir(m.path, { files })
    await expect(deliver(faulty, [utf8('x')])).rejects.toMatchObject({ fault: 'io' })
    expect(files.calls.filter(c => c === 'sync')).toHaveLength(2)
    expect(await inNew(m)).toEqual([])
  })

  test('in a batch only the messages fail whose files failed', async () => {
    const m = await maildir()
    const files = faultyFiles('write', 'ENOSPC', 3)
    const results = await deliverBatch(
      await createMaildir(m.path, { files }),
      Array.from({ length: 5 }, () => [utf8('x')]),
    )
    expect(results.filter(r => r.ok)).toHaveLength(2)
    expect(results.filter(r => !r.ok).map(r => r.error.fault)).toEqual(['full', 'full', 'full'])
    expect(await inNew(m)).toHaveLength(2)
    expect(await inTmp(m)).toEqual([])
  })

  test('when the sync of new fails the whole batch failed', async () => {
    const m = await maildir()
    const files = faultyFiles('openDirectory', 'EIO')
    const results = await deliverBatch(await createMaildir(m.path, { files }), [[utf8('x')], [utf8('y')]])
    expect(results.map(r => r.ok)).toEqual([false, false])
    expect(await inNew(m)).toEqual([])
  })

  test('a Maildir that has gone says so', async () => {
    const m = await maildir()
    await rm(m.path, { recursive: true })
    await expect(deliver(m, [utf8('x')])).rejects.toMatchObject({ fault: 'gone' })
  })
})

describe('a batch', () => {
  test('delivers in order of results, with one sync of the directory', async () => {
    const files = faultyFiles('create', 'EIO', 999)
    const m = await maildir({ files })
    files.calls.length = 0
    const results = await deliverBatch(
      m,
      Array.from({ length: 20 }, (_, i) => [utf8(`message ${i}`)]),
    )
    expect(files.calls.filter(c => c === 'openDirectory')).toHaveLength(1)
    for (const [i, r] of results.entries())
      expect(r.ok ? await readFile(join(m.path, 'new', r.file), 'utf8') : r.error).toBe(`message ${i}`)
  })

  test('takes each step for all of its messages before the next for any, but for the memory of no more than eight streams', async () => {
    const files = faultyFiles('create', 'EIO', 999)
    const m = await maildir({ files })
    files.calls.length = 0
    let [reading, most] = [0, 0]
    let goOn = (): void => {}
    const eight = new Promise<void>(resolve => (goOn = resolve))
    const stream = async function* (): AsyncGenerator<Uint8Array> {
      most = Math.max(most, ++reading)
      if (reading === 8) goOn()
      await eight
      yield utf8('x')
      reading--
    }
    const contents = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? stream() : [utf8('x')]))
    expect((await deliverBatch(m, contents)).every(r => r.ok)).toBe(true)
    expect(most).toBe(8)
    const { calls } = files
    expect(calls.lastIndexOf('write')).toBeLessThan(calls.indexOf('sync'))
    expect(calls.lastIndexOf('close', calls.indexOf('openDirectory'))).toBeLessThan(calls.indexOf('rename'))
    expect(calls.lastIndexOf('rename')).toBeLessThan(calls.indexOf('openDirectory'))
  })

  test('of many has no more than 64 files open', async () => {
    let [open, most] = [0, 0]
    const files: Files = {
      ...systemFiles,
      create: path => ((most = Math.max(most, ++open)), systemFiles.create(path)),
      close: fd => (open--, systemFiles.close(fd)),
    }
    const m = await maildir({ files, sync: false })
    const results = await deliverBatch(
      m,
      Array.from({ length: 150 }, () => [utf8('x')]),
    )
    expect(results.filter(r => r.ok)).toHaveLength(150)
    expect(most).toBe(64)
  })

  test('of nothing does nothing', async () => {
    expect(await deliverBatch(await maildir(), [])).toEqual([])
  })
})

describe('a crash', () => {
  test('before the move leaves a file in tmp, which is never listed', async () => {
    const m = await maildir()
    const files: Files = {
      ...systemFiles,
      rename: () => Promise.reject(new Error('power cut')),
      unlink: async () => {},
    }
    await expect(deliver(await createMaildir(m.path, { files }), [utf8('x')])).rejects.toThrow('power cut')
    expect(await inTmp(m)).toHaveLength(1)
    expect(await collect(listMessages(m))).toEqual([])
  })
})
