import { encode } from 'dns-packet'
import type { Packet } from 'dns-packet'
import { expect, test } from 'vitest'
import { decodeMessage } from './message.ts'
import { readReply } from './reading.ts'

const read = (packet: Packet, hops = 0) => {
  const message = decodeMessage(
    encode({ ...packet, type: 'response', questions: [{ name: 'www.example.org', type: 'A' }] }),
  )
  if (message === undefined) throw new Error('unreadable')
  return readReply(message, 'www.example.org', 'A', true, hops)
}
const cname = (name: string, data: string, ttl = 300) => ({ type: 'CNAME', name, data, ttl }) as const
const address = (name: string, ttl = 300) => ({ type: 'A', name, data: '192.0.2.1', ttl }) as const
const soa = (ttl: number, minimum: number) =>
  ({ type: 'SOA', name: 'example.org', ttl, data: { mname: 'a', rname: 'b', minimum } }) as const
const nxdomain = 3

test('a chain within the reply is followed, in any order, and the least TTL counts', () => {
  const answers = [address('c.example.org', 60), cname('b.example.org', 'C.example.org', 20)]
  expect(read({ answers: [...answers, cname('www.example.org', 'b.example.org')] })).toEqual({
    answer: { ok: true, records: ['192.0.2.1'], secure: true, ttl: 20, canonical: 'c.example.org' },
    lifetime: 20,
  })
})
test('a chain that leaves the reply is to be followed with a new query', () => {
  expect(read({ answers: [cname('www.example.org', 'elsewhere.example')] }, 2)).toEqual({
    follow: 'elsewhere.example',
    ttl: 300,
    hops: 3,
    secure: true,
  })
})
test('a loop of aliases, and more than eight of them, are broken', () => {
  const loop = [cname('www.example.org', 'b.example.org'), cname('b.example.org', 'www.example.org')]
  expect(read({ answers: loop })).toBe('broken')
  expect(read({ answers: [cname('www.example.org', 'b.example.org')] }, 8)).toBe('broken')
})
test('a record about another name is not an answer', () => {
  expect(read({ answers: [address('evil.example')], authorities: [soa(60, 60)] })).toMatchObject({
    answer: { ok: false, why: 'nodata' },
  })
})
test('negative answers last as long as the SOA says, at most three hours; without SOA not at all', () => {
  const no = (why: string, lifetime: number) => ({ answer: { ok: false, why, secure: true }, lifetime })
  expect(read({ authorities: [soa(600, 60)] })).toEqual(no('nodata', 60))
  expect(read({ authorities: [soa(30, 60)] })).toEqual(no('nodata', 30))
  expect(read({ authorities: [soa(900_000, 900_000)], flags: nxdomain })).toEqual(no('nxdomain', 3 * 3600))
  expect(read({ flags: nxdomain })).toEqual(no('nxdomain', 0))
  expect(read({})).toEqual(no('nodata', 0))
})
test('that there is nothing at the end of an alias lasts no longer than the alias', () => {
  const reading = read({ answers: [cname('www.example.org', 'b.example.org', 5)], authorities: [soa(60, 60)] })
  expect(reading).toMatchObject({ answer: { why: 'nodata' }, lifetime: 5 })
})
test('an alias to nothing is nothing', () => {
  const answers = [cname('www.example.org', 'b.example.org')]
  expect(read({ answers, flags: nxdomain })).toMatchObject({ answer: { why: 'nxdomain' } })
  expect(read({ answers, authorities: [soa(60, 60)] })).toMatchObject({ answer: { why: 'nodata' } })
})
test('row 43: SERVFAIL, REFUSED and a referral are not answers about the name', () => {
  expect(read({ flags: 2 })).toBe('broken')
  expect(read({ flags: 5 })).toBe('broken')
  const ns = { type: 'NS', name: 'org', data: 'ns.example', ttl: 60 } as const
  expect(read({ authorities: [ns] })).toBe('broken')
})
test('a positive answer lasts a day at most', () => {
  expect(read({ answers: [address('www.example.org', 2_000_000)] })).toMatchObject({
    answer: { ttl: 86_400 },
    lifetime: 86_400,
  })
})
