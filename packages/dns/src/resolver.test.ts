import { once } from 'node:events'
import { createSocket } from 'node:dgram'
import { manualClock, seededRandom } from '@posthorn/testkit'
import type { ManualClock } from '@posthorn/testkit'
import { afterEach, describe, expect, test } from 'vitest'
import { createResolver } from './resolver.ts'
import type { DnsResolver, ResolverOptions } from './resolver.ts'
import { createDnsServer } from './server.ts'
import type { DnsServerOptions, Question } from './server.ts'
import type { ZoneRecords } from './zones.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

interface Setup {
  readonly clock: ManualClock
  readonly resolver: DnsResolver
  readonly asked: Question[]
  /** Resolves when the server has got its n-th question. */
  readonly questions: (n: number) => Promise<void>
}
const setup = async (
  zones: Record<string, ZoneRecords>,
  twist?: DnsServerOptions['twist'],
  options: Partial<ResolverOptions> = {},
): Promise<Setup> => {
  const clock = manualClock()
  const asked: Question[] = []
  const waiting: { n: number; resolve: () => void }[] = []
  const server = await createDnsServer(zones, {
    twist: (question, reply) => {
      asked.push(question)
      for (const { n, resolve } of waiting) if (asked.length >= n) resolve()
      return twist?.(question, reply)
    },
  })
  const at = `127.0.0.1:${server.port}`
  const resolver = createResolver({ servers: [at], clock, random: seededRandom(1), ...options })
  closing.push(
    () => resolver.close(),
    () => server.close(),
  )
  const questions = (n: number): Promise<void> =>
    asked.length >= n ? Promise.resolve() : new Promise(resolve => waiting.push({ n, resolve }))
  return { clock, resolver, asked, questions }
}

const zones: Record<string, ZoneRecords> = {
  'example.org': {
    mx: [[10, 'mx.example.org'], { preference: 20, exchange: 'mx2.example.org' }],
    txt: ['v=spf1 -all'],
  },
  'mx.example.org': { a: ['192.0.2.1', '192.0.2.2'], aaaa: ['2001:db8::1'] },
  'alias.example.org': { cname: 'mx.example.org' },
  '_25._tcp.mx.example.org': {
    tlsa: [{ usage: 3, selector: 1, matching: 1, data: Uint8Array.of(1, 2, 3) }],
    secure: true,
  },
  '192.0.2.1': { ptr: ['mx.example.org'] },
  '2001:db8::1': { ptr: ['mx6.example.org'] },
  'null.example': { mx: [[0, '']] },
}

describe('answers', () => {
  test('every kind of record is read', async () => {
    const { resolver } = await setup(zones)
    const ok = (...records: unknown[]) => ({ ok: true, records, secure: false, ttl: 300 })
    expect(await resolver.mx('Example.org.')).toEqual(
      ok({ preference: 10, exchange: 'mx.example.org' }, { preference: 20, exchange: 'mx2.example.org' }),
    )
    expect(await resolver.a('mx.example.org')).toEqual(ok('192.0.2.1', '192.0.2.2'))
    expect(await resolver.aaaa('mx.example.org')).toEqual(ok('2001:db8::1'))
    expect(await resolver.txt('example.org')).toEqual(ok('v=spf1 -all'))
    expect(await resolver.ptr('192.0.2.1')).toEqual(ok('mx.example.org'))
    expect(await resolver.ptr('::ffff:192.0.2.1')).toEqual(ok('mx.example.org'))
    expect(await resolver.ptr('2001:db8::1')).toEqual(ok('mx6.example.org'))
    expect(await resolver.mx('null.example')).toEqual(ok({ preference: 0, exchange: '' }))
    expect(await resolver.a('alias.example.org')).toEqual({
      ...ok('192.0.2.1', '192.0.2.2'),
      canonical: 'mx.example.org',
    })
    expect(await resolver.tlsa('_25._tcp.mx.example.org')).toEqual({
      ok: true,
      records: [{ usage: 3, selector: 1, matching: 1, data: Uint8Array.of(1, 2, 3) }],
      secure: true,
      ttl: 300,
    })
  })
  test('no such name and no such record are told apart', async () => {
    const { resolver } = await setup(zones)
    expect(await resolver.a('nowhere.example')).toEqual({ ok: false, why: 'nxdomain', secure: false })
    expect(await resolver.a('example.org')).toEqual({ ok: false, why: 'nodata', secure: false })
  })
  test('a name that cannot exist, and an address as a name, are not asked', async () => {
    const { resolver, asked } = await setup(zones)
    expect(await resolver.a('a b')).toMatchObject({ why: 'nxdomain' })
    expect(await resolver.mx(`${'x'.repeat(64)}.org`)).toMatchObject({ why: 'nxdomain' })
    expect(await resolver.a('192.0.2.1')).toMatchObject({ why: 'nodata' })
    expect(await resolver.ptr('mx.example.org')).toMatchObject({ why: 'nxdomain' })
    expect(asked).toHaveLength(0)
  })
  test('the AD bit does not count when the server is not trusted', async () => {
    const { resolver } = await setup(zones, undefined, { trustAd: false })
    expect(await resolver.tlsa('_25._tcp.mx.example.org')).toMatchObject({ ok: true, secure: false })
  })
  test('row 43: a thousand MX and a TXT of 64 kB come over TCP, whole', async () => {
    const mx = Array.from({ length: 1000 }, (_, i) => [i, `mx${i}.example.org`] as const)
    const { resolver, asked } = await setup({ 'many.example': { mx }, 'long.example': { txt: ['y'.repeat(60_000)] } })
    const found = await resolver.mx('many.example')
    expect(found.ok && found.records.length).toBe(1000)
    expect(await resolver.txt('long.example')).toMatchObject({ records: ['y'.repeat(60_000)] })
    expect(asked.map(q => q.transport)).toEqual(['udp', 'tcp', 'udp', 'tcp'])
  })
  test('an alias that ends elsewhere is followed by a new query', async () => {
    const { resolver, asked } = await setup(zones, (question, reply) => {
      if (question.name !== 'alias.example.org' || reply === undefined) return undefined
      // The CNAME alone, as a server says that does not recurse.
      const alone = Buffer.from(reply)
      alone.writeUInt16BE(1, 6)
      return [alone]
    })
    expect(await resolver.a('alias.example.org')).toMatchObject({ ok: true, canonical: 'mx.example.org' })
    expect(asked.map(q => q.name)).toEqual(['alias.example.org', 'mx.example.org'])
  })
  test('mixed case is sent, demanded back, and not seen in answers', async () => {
    const { resolver, asked } = await setup(zones, undefined, { mixedCase: true })
    expect(await resolver.a('mx.example.org')).toMatchObject({ ok: true })
    expect(asked[0]?.name).not.toBe('mx.example.org')
    expect(asked[0]?.name.toLowerCase()).toBe('mx.example.org')
  })
})

describe('what is remembered', () => {
  test('an answer serves until its TTL is over, and its TTL counts down', async () => {
    const { resolver, asked, clock } = await setup(zones)
    await resolver.a('mx.example.org')
    await clock.advance(299_000)
    expect(await resolver.a('MX.example.org')).toMatchObject({ ok: true, ttl: 1 })
    expect(asked).toHaveLength(1)
    await clock.advance(1000)
    await resolver.a('mx.example.org')
    expect(asked).toHaveLength(2)
  })
  test('that there is nothing is remembered as long as the SOA says', async () => {
    const { resolver, asked, clock } = await setup(zones)
    await resolver.a('nowhere.example')
    await clock.advance(59_999)
    expect(await resolver.a('nowhere.example')).toMatchObject({ why: 'nxdomain' })
    expect(asked).toHaveLength(1)
    await clock.advance(1)
    await resolver.a('nowhere.example')
    expect(asked).toHaveLength(2)
  })
  test('row 43: TTL 0 and TTL 2^31 are not remembered', async () => {
    const { resolver, asked } = await setup({
      zero: { a: ['192.0.2.1'], ttl: 0 },
      huge: { a: ['192.0.2.1'], ttl: 2 ** 31 },
    })
    for (const name of ['zero', 'zero', 'huge', 'huge'])
      expect(await resolver.a(name)).toMatchObject({ ok: true, ttl: 0 })
    expect(asked).toHaveLength(4)
    expect(resolver.cached).toBe(0)
  })
  test('a failure is not remembered', async () => {
    let failing = true
    const { resolver } = await setup(zones, () => (failing ? 'servfail' : undefined))
    expect(await resolver.a('mx.example.org')).toMatchObject({ why: 'servfail' })
    failing = false
    expect(await resolver.a('mx.example.org')).toMatchObject({ ok: true })
  })
  test('the number of answers is bounded', async () => {
    const { resolver } = await setup(zones, undefined, { cacheSize: 2 })
    for (const name of ['a', 'b', 'c', 'd']) await resolver.a(`${name}.nowhere`)
    expect(resolver.cached).toBe(2)
  })
  test('equal questions under way share one query, and one who leaves does not end it', async () => {
    const { resolver, asked } = await setup(zones)
    const leaving = new AbortController()
    const first = resolver.a('mx.example.org', leaving.signal)
    const second = resolver.a('mx.example.org')
    leaving.abort(new Error('left'))
    await expect(first).rejects.toThrow('left')
    expect(await second).toMatchObject({ ok: true })
    expect(asked).toHaveLength(1)
  })
})

describe('servers that fail', () => {
  test('a silent server is asked twice, then it is a time-out', async () => {
    const { resolver, clock, asked, questions } = await setup(zones, () => 'drop')
    const answer = resolver.a('mx.example.org')
    await questions(1)
    await clock.advance(2000)
    await questions(2)
    await clock.advance(2000)
    expect(await answer).toEqual({ ok: false, why: 'timeout', secure: false })
    expect(asked).toHaveLength(2)
    expect(clock.pending).toBe(0)
  })
  test('the whole has a bound of its own', async () => {
    const { resolver, clock, asked, questions } = await setup(zones, () => 'drop', { rounds: 100, overallMs: 5000 })
    const answer = resolver.a('mx.example.org')
    for (const n of [1, 2]) {
      await questions(n)
      await clock.advance(2000)
    }
    await questions(3)
    await clock.advance(1000)
    expect(await answer).toMatchObject({ why: 'timeout' })
    expect(asked).toHaveLength(3)
  })
  test.each(['servfail', 'refused'] as const)(
    'after %s the next server is asked, and remembered as the lively one',
    async twist => {
      const refused: Question[] = []
      const good = await createDnsServer(zones)
      const badServer = await createDnsServer(zones, { twist: question => (refused.push(question), twist) })
      const servers = [`127.0.0.1:${badServer.port}`, `127.0.0.1:${good.port}`]
      const resolver = createResolver({ servers, clock: manualClock(), random: seededRandom(1) })
      closing.push(
        () => resolver.close(),
        () => good.close(),
        () => badServer.close(),
      )
      expect(await resolver.a('mx.example.org')).toMatchObject({ ok: true })
      expect(await resolver.aaaa('mx.example.org')).toMatchObject({ ok: true })
      expect(refused).toHaveLength(1)
    },
  )
  test('a port where nobody listens is a failure at once', async () => {
    const free = await createDnsServer({})
    await free.close()
    const resolver = createResolver({
      servers: [`127.0.0.1:${free.port}`],
      clock: manualClock(),
      random: seededRandom(1),
    })
    closing.push(() => resolver.close())
    expect(await resolver.a('mx.example.org')).toMatchObject({ ok: false, why: 'servfail' })
  })
  test('row 43: replies with another id, question or direction are ignored until the right one comes', async () => {
    const { resolver } = await setup(zones, (_question, reply) => {
      if (reply === undefined) return undefined
      const wrong = (at: number, bits: number): Buffer => {
        const copy = Buffer.from(reply)
        copy[at] = (copy[at] ?? 0) ^ bits
        // A different address, so that believing it would show.
        copy[copy.length - 1] = 66
        return copy
      }
      return [wrong(0, 1), wrong(2, 0x80), wrong(14, 1), Buffer.from('junk'), Buffer.alloc(0), reply]
    })
    expect(await resolver.a('mx.example.org')).toMatchObject({ records: ['192.0.2.1', '192.0.2.2'] })
  })
  test('row 43: a reply from another port is ignored', async () => {
    const stranger = createSocket('udp4')
    const server = createSocket('udp4')
    server.bind(0, '127.0.0.1')
    await once(server, 'listening')
    closing.push(
      () => stranger.close(),
      () => server.close(),
    )
    const resolver = createResolver({
      servers: [`127.0.0.1:${server.address().port}`],
      clock: manualClock(),
      random: seededRandom(1),
    })
    closing.push(() => resolver.close())
    const answer = resolver.a('mx.example.org')
    const [query, from] = (await once(server, 'message')) as [Buffer, { port: number }]
    const reply = (octets: number[]): Buffer => {
      const head = Buffer.from(query.subarray(0, 12 + 20))
      head.writeUInt16BE(0x8180, 2)
      head.writeUInt16BE(1, 6)
      head.writeUInt16BE(0, 10)
      return Buffer.concat([head, Buffer.of(0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, ...octets)])
    }
    await new Promise(resolve => stranger.send(reply([6, 6, 6, 6]), from.port, '127.0.0.1', resolve))
    server.send(reply([192, 0, 2, 7]), from.port, '127.0.0.1')
    expect(await answer).toMatchObject({ ok: true, records: ['192.0.2.7'] })
  })
  test('row 43: under a rain of wrong replies it goes on over TCP', async () => {
    const { resolver, asked } = await setup(zones, ({ transport }, reply) => {
      if (transport === 'tcp' || reply === undefined) return undefined
      return Array.from({ length: 40 }, (_, i) => {
        const guess = Buffer.from(reply)
        guess.writeUInt16BE((guess.readUInt16BE(0) + 1 + i) & 0xffff, 0)
        return guess
      })
    })
    expect(await resolver.a('mx.example.org')).toMatchObject({ ok: true })
    expect(asked.map(q => q.transport)).toEqual(['udp', 'tcp'])
  })
  test.each([
    ['cut within its records', (reply: Buffer) => reply.subarray(0, reply.length - 3)],
    [
      'with a compression loop',
      (reply: Buffer) => Buffer.concat([reply.subarray(0, 32), Buffer.of(0xc0, 32), reply.subarray(34)]),
    ],
  ])('row 43: a reply %s is servfail', async (_what, mutate) => {
    const { resolver } = await setup(zones, (_question, reply) => reply && [mutate(Buffer.from(reply))])
    expect(await resolver.a('mx.example.org')).toMatchObject({ ok: false, why: 'servfail' })
  })
  test('row 43: names with NUL, newline or a space never come out', async () => {
    const { resolver } = await setup({
      '192.0.2.1': { ptr: ['a\0b.example', 'a\nb.example', 'a b.example', 'good.example'] },
      '192.0.2.2': { ptr: ['a\r\nX-Evil: yes'] },
    })
    expect(await resolver.ptr('192.0.2.1')).toMatchObject({ ok: true, records: ['good.example'] })
    expect(await resolver.ptr('192.0.2.2')).toMatchObject({ ok: false, why: 'servfail' })
  })
  test('a TCP server that hangs up or sends junk is a failure, not a hang', async () => {
    const { resolver } = await setup(zones, ({ transport }) =>
      transport === 'udp' ? 'truncate' : [Buffer.from('junk')],
    )
    expect(await resolver.a('mx.example.org')).toMatchObject({ ok: false, why: 'servfail' })
  })
})

describe('the end', () => {
  test('close ends what is under way and answers servfail from then on', async () => {
    const { resolver, questions, clock } = await setup(zones, () => 'drop')
    const answer = resolver.a('mx.example.org')
    await questions(1)
    resolver.close()
    expect(await answer).toMatchObject({ ok: false })
    expect(await resolver.a('mx.example.org')).toMatchObject({ why: 'servfail' })
    expect(clock.pending).toBe(0)
  })
  test("a caller's signal rejects with its reason", async () => {
    const { resolver } = await setup(zones, () => 'drop')
    await expect(resolver.a('x.example', AbortSignal.abort(new Error('why')))).rejects.toThrow('why')
    const later = new AbortController()
    const answer = resolver.a('x.example', later.signal)
    later.abort(new Error('changed my mind'))
    await expect(answer).rejects.toThrow('changed my mind')
  })
  test('a server that is none is a clear error', () => {
    expect(() => createResolver({ servers: ['dns.example'], clock: manualClock(), random: seededRandom(1) })).toThrow(
      'name server "dns.example" is neither an IP address nor address:port',
    )
  })
})
