import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import type { Outcome, Reception, Transaction, Transport } from '@posthorn/contracts'
import { parseHeaders, readAll, utf8 } from '@posthorn/message'
import { insufficientStorage, isReply, mailboxFull, refusedByPolicy, type Reply } from '@posthorn/reply'
import { manualClock, seededRandom } from '@posthorn/testkit'
import { delivered, journal, scratch, transactionTo } from '../test/bench.ts'
import { createLmtpIntake, type LmtpIntakeOptions } from './lmtp-intake.ts'
import { createMaildirTransport } from './maildir-transport.ts'

const headers = parseHeaders(utf8('Subject: hello\r\n\r\n'))
const basics = { clock: manualClock(), random: seededRandom(7), hostname: 'mx.example.org' }

const bench = async (o: Partial<LmtpIntakeOptions> = {}) => {
  const state = await scratch()
  const root = join(state, 'mail')
  const spoolDir = join(state, 'spool')
  const events = journal()
  const local = createMaildirTransport({ ...basics, root })
  const intake = createLmtpIntake({ ...basics, transports: { local }, spoolDir, journal: events, ...o })
  const begin = (transaction: Transaction): Reception => {
    const reception = intake.begin(transaction)
    if (isReply(reception)) throw new Error('refused')
    return reception
  }
  return { root, spoolDir, events: events.events, begin }
}
const commit = async (reception: Reception, disposition = {}): Promise<readonly string[]> => {
  const replies = (await reception.commit(headers, { verdicts: [], ...disposition })) as readonly Reply[]
  return replies.map(r => `${r.code} ${r.enhanced}`)
}
const answering = (...outcomes: readonly Partial<Outcome>[]): Transport => ({
  deliver: async job =>
    job.recipients.map((_, i): Outcome => ({ fate: 'deferred', phase: 'local', cause: 'test', ...outcomes[i] })),
})

describe('a small message', () => {
  test('is in every mailbox with its trace when the replies come, one for each recipient', async () => {
    const { root, spoolDir, begin, events } = await bench()
    const reception = begin(transactionTo({ 'ann@example.org': ['ann'], 'bob@example.org': ['bob'] }))
    void reception.write(utf8('Hello.\r\n'))
    expect(await commit(reception)).toEqual(['250 2.1.5', '250 2.1.5'])
    const [text] = await delivered(join(root, 'ann'))
    expect(text).toMatch(
      /^Return-Path: <bob@example.net>\r\nDelivered-To: ann@example.org\r\nReceived: from relay\.example\.net \(\[192\.0\.2\.1\]\)\r\n\tby mx\.example\.org \(Posthorn\) with LMTP id [0-9a-z]+;\r\n\t.*\r\nSubject: hello\r\n\r\nHello.\r\n$/,
    )
    expect(await delivered(join(root, 'bob'))).toHaveLength(1)
    await expect(readdir(spoolDir)).rejects.toThrow('ENOENT')
    expect(events.map(e => e.name)).toEqual(['delivery.delivered', 'delivery.delivered', 'message.received'])
  })

  test('one recipient is named in the trace, several are not told of each other', async () => {
    const { root, begin } = await bench()
    await commit(begin(transactionTo({ 'ann@example.org': ['ann'] })))
    expect((await delivered(join(root, 'ann')))[0]).toContain('for <ann@example.org>')
    await commit(begin(transactionTo({ 'bob@example.org': ['bob'], 'blind@example.org': ['blind'] })))
    expect((await delivered(join(root, 'bob')))[0]).not.toContain('blind@')
  })

  test('an alias to two mailboxes is answered 250 when both have it', async () => {
    const { root, begin } = await bench()
    expect(await commit(begin(transactionTo({ 'staff@example.org': ['ann', 'bob'] })))).toEqual(['250 2.1.5'])
    expect((await delivered(join(root, 'ann'))).length + (await delivered(join(root, 'bob'))).length).toBe(2)
  })

  test('the content can be read before the commit', async () => {
    const { begin } = await bench()
    const reception = begin(transactionTo({ 'ann@example.org': ['ann'] }))
    void reception.write(utf8('He'))
    void reception.write(utf8('llo'))
    expect(Buffer.from(await readAll(await reception.end(), 100)).toString()).toBe('Hello')
    reception.abort()
  })
})

describe('a large message', () => {
  test('goes through a file without a name, and arrives whole', async () => {
    const { root, spoolDir, begin } = await bench({ memory: 1000 })
    const reception = begin(transactionTo({ 'ann@example.org': ['ann'], 'bob@example.org': ['bob'] }))
    const hash = createHash('sha256')
    for (let i = 0; i < 200; i++) {
      const chunk = utf8(`${i}`.repeat(1000))
      hash.update(chunk)
      await reception.write(chunk)
    }
    expect(await readdir(spoolDir)).toEqual([])
    const body = await reception.end()
    expect(body.bytes).toBeUndefined()
    expect(await commit(reception)).toEqual(['250 2.1.5', '250 2.1.5'])
    const [text = ''] = await delivered(join(root, 'bob'))
    expect(
      createHash('sha256')
        .update(text.slice(text.indexOf('\r\n\r\n') + 4))
        .digest('hex'),
    ).toBe(hash.digest('hex'))
  })

  test('64 MiB pass with little memory, because the disk sets the pace', async () => {
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    const { root, begin } = await bench()
    const reception = begin(transactionTo({ 'ann@example.org': ['ann'] }))
    collectGarbage()
    const before = process.memoryUsage().arrayBuffers
    let most = 0
    let waited = 0
    for (let i = 1; i <= 1024; i++) {
      const wait = reception.write(new Uint8Array(64 * 1024).fill(120))
      waited += wait === undefined ? 0 : 1
      await wait
      if (i % 256 !== 0) continue
      collectGarbage()
      most = Math.max(most, process.memoryUsage().arrayBuffers - before)
    }
    expect(await commit(reception)).toEqual(['250 2.1.5'])
    // The first four fill the memory it may have.
    expect(waited).toBe(1020)
    // Half of what passed: memory that was given back may still be counted for a moment.
    expect(most).toBeLessThan(32 * 1024 * 1024)
    const [file = ''] = await readdir(join(root, 'ann', 'new'))
    expect(Number(/,S=(\d+)/.exec(file)?.[1])).toBeGreaterThan(64 * 1024 * 1024)
  })

  test('that is aborted in the middle leaves nothing, and late chunks do no harm', async () => {
    const { root, spoolDir, begin } = await bench({ memory: 10 })
    const reception = begin(transactionTo({ 'ann@example.org': ['ann'] }))
    await reception.write(new Uint8Array(1000))
    reception.abort()
    await reception.write(new Uint8Array(1000))
    expect(await readdir(spoolDir)).toEqual([])
    expect(await delivered(join(root, 'ann'))).toEqual([])
  })

  test('that the spool cannot take is refused for now, for every recipient', async () => {
    const blocked = join(await scratch(), 'file')
    await writeFile(blocked, '')
    const { root, begin, events } = await bench({ memory: 10, spoolDir: join(blocked, 'spool') })
    const reception = begin(transactionTo({ 'ann@example.org': ['ann'], 'bob@example.org': ['bob'] }))
    await reception.write(new Uint8Array(100))
    await reception.write(new Uint8Array(100))
    expect((await reception.end()).size).toBe(0)
    expect(await commit(reception)).toEqual(['451 4.3.0', '451 4.3.0'])
    expect(await delivered(join(root, 'ann'))).toEqual([])
    expect(events.map(e => e.name)).toEqual(['queue.full', 'message.rejected'])
  })
})

describe('refusals', () => {
  test.each([
    ['row 47', { fate: 'deferred', status: '4.3.1' }, insufficientStorage],
    ['quota', { fate: 'deferred', status: '4.2.2' }, mailboxFull],
  ] as const)('%s: what the disk refuses is told to that recipient alone', async (_row, outcome, reply) => {
    const { begin } = await bench({ transports: { local: answering({ fate: 'delivered' }, outcome) } })
    const transaction = transactionTo({ 'a@example.org': ['ann'], 'b@example.org': ['ann'] })
    expect(await commit(begin(transaction))).toEqual(['250 2.1.5', `${reply.code} ${reply.enhanced}`])
  })

  test('of several places behind one recipient, a temporary refusal wins over a final one and over 250', async () => {
    const local = answering({ fate: 'delivered' })
    const transports = { local, x: answering({ fate: 'failed', status: '5.1.1' }), y: answering({ status: '4.2.2' }) }
    const { begin } = await bench({ transports })
    expect(await commit(begin(transactionTo({ 'a@x.org': ['ann', 'x:', 'y:'] })))).toEqual(['452 4.2.2'])
    expect(await commit(begin(transactionTo({ 'a@x.org': ['ann', 'x:'] })))).toEqual(['550 5.1.1'])
  })

  test('a recipient for whom there is no transport is deferred, the others are delivered', async () => {
    const { root, begin } = await bench()
    const transaction = transactionTo({ 'far@example.net': ['mx:'], 'ann@example.org': ['ann'] })
    expect(await commit(begin(transaction))).toEqual(['451 4.3.0', '250 2.1.5'])
    expect(await delivered(join(root, 'ann'))).toHaveLength(1)
  })

  test('a recipient that policy refused has its reply and no copy', async () => {
    const { root, begin } = await bench()
    const reception = begin(transactionTo({ 'ann@example.org': ['ann'], 'bob@example.org': ['bob'] }))
    expect(await commit(reception, { refused: new Map([[0, refusedByPolicy]]) })).toEqual(['550 5.7.1', '250 2.1.5'])
    expect(await delivered(join(root, 'ann'))).toEqual([])
  })

  test('a message to be held is deferred, since only a queue can hold it', async () => {
    const { root, begin } = await bench()
    expect(await commit(begin(transactionTo({ 'ann@example.org': ['ann'] })), { hold: 'spam' })).toEqual(['451 4.3.0'])
    expect(await delivered(join(root, 'ann'))).toEqual([])
  })

  test('a transport that breaks is a deferral and an event, never 250', async () => {
    const { begin, events } = await bench({
      transports: { local: { deliver: () => Promise.reject(new Error('bug')) } },
    })
    expect(await commit(begin(transactionTo({ 'ann@example.org': ['ann'] })))).toEqual(['451 4.3.0'])
    expect(events).toMatchObject([{ name: 'error', fields: { error: 'Error: bug' } }])
  })

  test('the notes of the server that hands a message over are replaced by ours, and are no loop', async () => {
    const { root, begin } = await bench()
    const reception = begin(transactionTo({ 'ann@example.org': ['ann'] }))
    const notes = 'Return-Path: <x@example.net>\r\nX-Original-To: a@b.test\r\nDelivered-To:\r\n ann@example.org\r\n'
    const rest = 'Received: from a\r\n\tby b\r\nReturn-Path: <old@example.net>\r\nDelivered-To: old@example.org\r\n\r\n'
    const replies = (await reception.commit(parseHeaders(utf8(notes + rest)), { verdicts: [] })) as readonly Reply[]
    expect(replies.map(r => r.enhanced)).toEqual(['2.1.5'])
    const [text = ''] = await delivered(join(root, 'ann'))
    expect(text).toMatch(/^Return-Path: <bob@example.net>\r\nDelivered-To: ann@example.org\r\nReceived: from relay/)
    expect(text.slice(text.indexOf('X-Original-To'))).toBe(`X-Original-To: a@b.test\r\n${rest}`)
  })

  test('row 40: a Delivered-To below a trace field, or in mail without one, is a loop still', async () => {
    for (const text of [
      'Received: x\r\nDelivered-To: ann@example.org\r\n\r\n',
      'Delivered-To: ann@example.org\r\n\r\n',
    ]) {
      const { begin } = await bench()
      const reception = begin(transactionTo({ 'ann@example.org': ['ann'] }))
      const replies = (await reception.commit(parseHeaders(utf8(text)), { verdicts: [] })) as readonly Reply[]
      expect(replies.map(r => r.enhanced)).toEqual(['5.4.6'])
    }
  })

  test('ids differ, sort by time and stay within the alphabet', async () => {
    const { begin } = await bench()
    const ids = Array.from({ length: 50 }, () => begin(transactionTo({ 'ann@example.org': ['ann'] })).id)
    expect(new Set(ids).size).toBe(50)
    for (const id of ids) expect(id).toMatch(/^[0-9A-Za-z]{10,26}$/)
  })
})

test('the same message to one mailbox under two addresses is two files', async () => {
  const { root, begin } = await bench()
  await commit(begin(transactionTo({ 'ann@example.org': ['ann'], 'ann+x@example.org': ['ann'] })))
  const files = await readdir(join(root, 'ann', 'new'))
  expect(files).toHaveLength(2)
  expect(await readFile(join(root, 'ann', 'new', files[0] ?? ''), 'utf8')).toContain('Delivered-To: ann')
})
