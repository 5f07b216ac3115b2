import { encode } from 'dns-packet'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeMessage, encodeQuery, isReplyTo } from './message.ts'
import type { Message } from './message.ts'
import { readReply } from './reading.ts'
import { readValue, typeNumber } from './record.ts'
import type { RecordType } from './record.ts'
import { readName } from './wire-name.ts'

const types = Object.keys(typeNumber) as RecordType[]
const bytes = (...octets: (number | string)[]): Uint8Array =>
  Uint8Array.from(octets.flatMap(octet => (typeof octet === 'string' ? [...Buffer.from(octet, 'latin1')] : [octet])))

/** A reply to `example.org` whose answers have exactly these data. */
const replyWith = (type: RecordType, ...datas: Uint8Array[]): Message => {
  const head = Buffer.from(encode({ type: 'response', id: 7, questions: [{ name: 'example.org', type }] }))
  head.writeUInt16BE(datas.length, 6)
  const records = datas.map(data =>
    bytes(0xc0, 12, 0, typeNumber[type], 0, 1, 0, 0, 1, 0, data.length >> 8, data.length & 255, ...data),
  )
  const message = decodeMessage(Buffer.concat([head, ...records]))
  if (message === undefined) throw new Error('unreadable')
  return message
}
const read = <T extends RecordType>(type: T, ...datas: Uint8Array[]) =>
  readReply(replyWith(type, ...datas), 'example.org', type, false, 0)
const records = (reading: ReturnType<typeof read>): unknown =>
  typeof reading === 'object' && 'answer' in reading && reading.answer.ok ? reading.answer.records : reading

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/)
const hostName = fc.array(label, { minLength: 1, maxLength: 5 }).map(labels => labels.join('.'))

describe('readName', () => {
  test('follows pointers backwards and ends after the first one', () => {
    expect(readName(bytes(3, 'org', 0, 7, 'example', 0xc0, 0), 5)).toEqual({ text: 'example.org', end: 15 })
  })
  test('shows what could be mistaken as an escape', () => {
    expect(readName(bytes(3, 'a.b', 3, 'c\0 ', 1, '\\', 0), 0)?.text).toBe('a\\046b.c\\000\\032.\\092')
  })
  test('row 43: compression loops and forward pointers are refused', () => {
    expect(readName(bytes(0xc0, 0), 0)).toBeUndefined()
    expect(readName(bytes(0xc0, 2, 0xc0, 0), 2)).toBeUndefined()
    expect(readName(bytes(1, 'a', 0xc0, 0), 0)).toBeUndefined()
    expect(readName(bytes(0xc0, 2, 0), 0)).toBeUndefined()
  })
  test('row 43: a chain of thousands of pointers costs nothing', () => {
    const chain = new Uint8Array(20_002)
    for (let at = 2; at < 20_000; at += 2) chain.set([0xc0 | ((at - 2) >> 8), (at - 2) & 255], at)
    expect(readName(chain, 16_000)).toBeUndefined()
    expect(readName(chain, 100)?.text).toBe('')
  })
  test('a name of more than 255 octets, and one cut short, are refused', () => {
    const labels = Array.from({ length: 5 }, () => [63, 'x'.repeat(63)]).flat()
    expect(readName(bytes(...labels, 0), 0)).toBeUndefined()
    expect(readName(bytes(5, 'abc'), 0)).toBeUndefined()
    expect(readName(bytes(0x80, 0), 0)).toBeUndefined()
    expect(readName(bytes(), 0)).toBeUndefined()
  })
})

describe('decodeMessage', () => {
  test('reads what dns-packet writes', () => {
    const names = fc.record({ preference: fc.nat(65_535), exchange: hostName })
    fc.assert(
      fc.property(hostName, fc.array(names, { minLength: 1, maxLength: 20 }), fc.nat(86_400), (name, mx, ttl) => {
        const packet = encode({
          type: 'response',
          questions: [{ name, type: 'MX' }],
          answers: mx.map(data => ({ type: 'MX', name, ttl, data })),
        })
        const message = decodeMessage(packet)
        expect(message?.whole).toBe(true)
        expect(message && readReply(message, name, 'MX', true, 0)).toEqual({
          answer: { ok: true, records: mx, secure: true, ttl },
          lifetime: ttl,
        })
      }),
    )
  })
  test('a query asks for recursion, for AD and for 1232 octets', () => {
    const message = decodeMessage(encodeQuery(0x1234, 'example.org', 'TLSA'))
    expect(message).toMatchObject({ id: 0x1234, response: false, authentic: true, whole: true })
    expect(message?.question).toEqual({ name: 'example.org', type: 52, inClass: true })
    expect(message?.additionals).toHaveLength(1)
  })
  test('row 43: no octets whatever make it throw or loop', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.constantFrom(...types), (octets, type) => {
        const message = decodeMessage(octets)
        const reading = message && readReply(message, message.question?.name ?? 'x', type, false, 0)
        expect(['undefined', 'object', 'string']).toContain(typeof reading)
      }),
      { numRuns: 2000 },
    )
  })
  test('row 43: a mutated reply is read, or is broken, and names in it stay host names', () => {
    const reply = encode({
      type: 'response',
      questions: [{ name: 'example.org', type: 'MX' }],
      answers: [
        { type: 'CNAME', name: 'example.org', ttl: 9, data: 'other.example.org' },
        { type: 'MX', name: 'other.example.org', ttl: 9, data: { preference: 1, exchange: 'mx.example.org' } },
        { type: 'MX', name: 'other.example.org', ttl: 9, data: { preference: 2, exchange: 'mx2.example.org' } },
      ],
    })
    const place = fc.tuple(fc.nat(reply.length - 1), fc.nat(255))
    fc.assert(
      fc.property(fc.array(place, { minLength: 1, maxLength: 4 }), fc.nat(reply.length), (changes, length) => {
        const mutated = Uint8Array.from(reply)
        for (const [at, octet] of changes) mutated[at] = octet
        const message = decodeMessage(mutated.subarray(0, length))
        const reading = message && readReply(message, 'example.org', 'MX', false, 0)
        if (typeof reading !== 'object' || !('answer' in reading) || !reading.answer.ok) return
        expect(reading.answer.records.length).toBeGreaterThan(0)
        for (const { exchange } of reading.answer.records) expect(exchange).toMatch(/^([a-z0-9_.-]+|)$/)
      }),
      { numRuns: 3000 },
    )
  })
  test('a message that says more records than it has is not whole', () => {
    const message = Buffer.from(encode({ type: 'response', questions: [{ name: 'example.org', type: 'A' }] }))
    message.writeUInt16BE(65_535, 6)
    expect(decodeMessage(message)).toMatchObject({ whole: false, answers: [] })
  })
  test('a TTL with the top bit set is 0 (RFC 2181 §8)', () => {
    const packet = encode({
      type: 'response',
      questions: [{ name: 'example.org', type: 'A' }],
      answers: [{ type: 'A', name: 'example.org', ttl: 2 ** 31, data: '192.0.2.1' }],
    })
    expect(decodeMessage(packet)?.answers[0]?.ttl).toBe(0)
  })
})

describe('isReplyTo', () => {
  const reply = (o: object) => decodeMessage(encode({ type: 'response', id: 5, ...o })) as Message
  const right = { questions: [{ name: 'Example.org', type: 'A' }] }
  test('row 43: another id, name, type, class, opcode or direction is not the answer', () => {
    expect(isReplyTo(reply(right), 5, 'example.ORG', 'A', false)).toBe(true)
    expect(isReplyTo(reply(right), 6, 'example.org', 'A', false)).toBe(false)
    expect(isReplyTo(reply(right), 5, 'example.net', 'A', false)).toBe(false)
    expect(isReplyTo(reply(right), 5, 'example.org', 'AAAA', false)).toBe(false)
    expect(isReplyTo(reply({ ...right, flags: 1 << 11 }), 5, 'example.org', 'A', false)).toBe(false)
    expect(isReplyTo(reply({ ...right, type: 'query' }), 5, 'example.org', 'A', false)).toBe(false)
    const chaos = { questions: [{ name: 'example.org', type: 'A', class: 'CH' }] }
    expect(isReplyTo(reply(chaos), 5, 'example.org', 'A', false)).toBe(false)
  })
  test('the case counts when it was mixed on purpose', () => {
    expect(isReplyTo(reply(right), 5, 'Example.org', 'A', true)).toBe(true)
    expect(isReplyTo(reply(right), 5, 'eXample.org', 'A', true)).toBe(false)
  })
  test('without a question only a failure is believed', () => {
    expect(isReplyTo(reply({ flags: 1 }), 5, 'example.org', 'A', false)).toBe(true)
    expect(isReplyTo(reply({}), 5, 'example.org', 'A', false)).toBe(false)
  })
})

describe('record data', () => {
  const host = bytes(2, 'mx', 7, 'example', 3, 'org', 0)
  test('row 43: TLSA of 0, 1 and 2 octets is dropped, of 3 and 19 kept as it is', () => {
    const long = bytes(3, 1, 1, ...Array.from({ length: 16 }, (_, i) => i))
    expect(records(read('TLSA', bytes(), bytes(3), bytes(3, 1), bytes(3, 1, 1), long))).toEqual([
      { usage: 3, selector: 1, matching: 1, data: new Uint8Array() },
      { usage: 3, selector: 1, matching: 1, data: long.slice(3) },
    ])
    expect(read('TLSA', bytes(3))).toBe('broken')
  })
  test('row 43: MX cut short, or running into the next record, is dropped', () => {
    const good = bytes(0, 10, ...host)
    expect(records(read('MX', bytes(), bytes(0), bytes(0, 10), good.slice(0, -1), bytes(...good, 0), good))).toEqual([
      { preference: 10, exchange: 'mx.example.org' },
    ])
  })
  test('row 43: TXT cut short is dropped; strings of one record are joined', () => {
    expect(records(read('TXT', bytes(), bytes(5, 'abc'), bytes(3, 'v=s', 0, 3, 'pf1')))).toEqual(['v=spf1'])
  })
  test('row 43: a TXT of 64 kB is read whole', () => {
    const strings = Array.from({ length: 250 }, () => [255, 'x'.repeat(255)]).flat()
    expect(records(read('TXT', bytes(...strings)))).toEqual(['x'.repeat(250 * 255)])
  })
  test('row 43: PTR with NUL, newline, space or nothing is dropped', () => {
    const bad = ['a\0b', 'a\nb', 'a b', 'a.b', '-a', 'a\\b', 'ä'].map(text => bytes(text.length, text, 0))
    expect(records(read('PTR', ...bad, bytes(0), host))).toEqual(['mx.example.org'])
    expect(read('PTR', ...bad)).toBe('broken')
  })
  test('addresses of a wrong length are dropped', () => {
    expect(records(read('A', bytes(1, 2, 3), bytes(1, 2, 3, 4), bytes(1, 2, 3, 4, 5)))).toEqual(['1.2.3.4'])
    const v6 = bytes(0x20, 1, 0xd, 0xb8, ...Array.from({ length: 11 }, () => 0), 1)
    expect(readValue.AAAA({ message: v6, start: 0, end: 16 })).toBe('2001:db8::1')
    expect(readValue.AAAA({ message: v6, start: 0, end: 15 })).toBeUndefined()
  })
  test('the root is the null MX; only there', () => {
    expect(records(read('MX', bytes(0, 0, 0)))).toEqual([{ preference: 0, exchange: '' }])
  })
})
