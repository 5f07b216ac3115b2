import { parseDomain } from '@posthorn/address'
import type { Domain } from '@posthorn/address'
import { seededRandom } from '@posthorn/testkit'
import { describe, expect, test } from 'vitest'
import { findExchanges } from './exchanges.ts'
import type { Exchanges, ExchangesOptions } from './exchanges.ts'
import { zoneResolver } from './zone-resolver.ts'
import type { ZoneRecords } from './zones.ts'

const domain = (text: string): Domain => parseDomain(text) as Domain
const self = { names: ['Us.example.'], addresses: ['192.0.2.99', '2001:db8::99'] }
const find = (
  zones: Record<string, ZoneRecords>,
  o: Partial<ExchangesOptions> & { seed?: number } = {},
  at = 'example.org',
): Promise<Exchanges> =>
  findExchanges(zoneResolver(zones), domain(at), { self, random: seededRandom(o.seed ?? 1), ...o })
const names = (found: Exchanges): unknown => (found.ok ? found.hosts.map(host => host.name) : found)
const host = (last: number): ZoneRecords => ({ a: [`192.0.2.${last}`] })

describe('exchangers', () => {
  const zones = {
    'example.org': {
      mx: [
        [20, 'c.example'],
        [10, 'a.example'],
        [10, 'b.example'],
      ],
    },
    'a.example': host(1),
    'b.example': host(2),
    'c.example': host(3),
  } as const
  test('come by preference, equal ones in random order', async () => {
    const orders = new Set<string>()
    for (let seed = 1; seed <= 20; seed++) orders.add(String(names(await find(zones, { seed }))))
    expect([...orders].sort()).toEqual(['a.example,b.example,c.example', 'b.example,a.example,c.example'])
  })
  test('carry preference, addresses and security', async () => {
    const found = await find({
      'example.org': { mx: [[5, 'a.example']], secure: true },
      'a.example': { a: ['192.0.2.1'], aaaa: ['2001:db8::1'], secure: true },
    })
    expect(found).toMatchObject({ ok: true, secure: true, implicit: false })
    expect(found.ok && found.hosts[0]).toMatchObject({ name: 'a.example', preference: 5, secure: true })
    expect(found.ok && found.hosts[0]?.addresses.toSorted()).toEqual(['192.0.2.1', '2001:db8::1'])
  })
  test('both families take turns', async () => {
    const a = ['192.0.2.1', '192.0.2.2', '192.0.2.3']
    const found = await find({ 'example.org': { mx: [[5, 'a.example']] }, 'a.example': { a, aaaa: ['2001:db8::1'] } })
    const families = found.ok ? found.hosts[0]?.addresses.map(ip => (ip.includes(':') ? 6 : 4)) : []
    expect([
      [6, 4, 4, 4],
      [4, 6, 4, 4],
    ]).toContainEqual(families)
  })
  test('the domain itself, when there is no MX', async () => {
    expect(await find({ 'example.org': host(1) })).toEqual({
      ok: true,
      hosts: [{ name: 'example.org', addresses: ['192.0.2.1'], preference: 0, secure: false }],
      secure: false,
      implicit: true,
    })
  })
  test('a domain that is an alias', async () => {
    const found = await find({ 'example.org': { cname: 'real.example' }, 'real.example': host(1) })
    expect(found).toMatchObject({
      ok: true,
      implicit: true,
      hosts: [{ name: 'example.org', canonical: 'real.example' }],
    })
    const mx = await find({
      'example.org': { cname: 'real.example' },
      'real.example': { mx: [[1, 'a.example']] },
      'a.example': host(1),
    })
    expect(names(mx)).toEqual(['a.example'])
  })
  test('row 43: an MX that is an alias is followed', async () => {
    const found = await find({
      'example.org': { mx: [[1, 'a.example']] },
      'a.example': { cname: 'b.example' },
      'b.example': host(1),
    })
    expect(found).toMatchObject({
      ok: true,
      hosts: [{ name: 'a.example', canonical: 'b.example', addresses: ['192.0.2.1'] }],
    })
  })
  test('row 43: AAAA only will do', async () => {
    const found = await find({ 'example.org': { mx: [[1, 'a.example']] }, 'a.example': { aaaa: ['2001:db8::1'] } })
    expect(found).toMatchObject({ hosts: [{ addresses: ['2001:db8::1'] }] })
  })
  test('row 43: of a thousand MX the best twenty are used, and twenty addresses of each', async () => {
    let lookUps = 0
    const many: Record<string, ZoneRecords> = {
      'example.org': { mx: Array.from({ length: 1000 }, (_, i) => [1000 - i, `mx${1000 - i}.example`] as const) },
    }
    const a = Array.from({ length: 200 }, (_, i) => `198.51.100.${i}`)
    for (let i = 1; i <= 1000; i++) many[`mx${i}.example`] = { a }
    const resolver = zoneResolver(many)
    const counting = { ...resolver, a: (name: string) => (lookUps++, resolver.a(name)) }
    const found = await findExchanges(counting, domain('example.org'), { self, random: seededRandom(1) })
    expect(names(found)).toEqual(Array.from({ length: 20 }, (_, i) => `mx${i + 1}.example`))
    expect(found.ok && found.hosts.every(h => h.addresses.length === 20)).toBe(true)
    expect(lookUps).toBe(20)
  })
})

describe('no exchangers', () => {
  test('a null MX is permanent (RFC 7505)', async () => {
    expect(await find({ 'example.org': { mx: [[0, '']] } })).toMatchObject({
      ok: false,
      permanent: true,
      status: '5.1.10',
      code: 556,
    })
  })
  test('row 43: a null MX among others is ignored', async () => {
    const mx = [
      [0, ''],
      [10, 'a.example'],
    ] as const
    expect(names(await find({ 'example.org': { mx }, 'a.example': host(1) }))).toEqual(['a.example'])
  })
  test.each([
    ['a domain that does not exist', {}, '5.1.2'],
    ['a domain without MX and address', { 'example.org': { txt: ['x'] } }, '5.4.4'],
    ['row 43: MX that are addresses as text', { 'example.org': { mx: [[1, '192.0.2.1']] } }, '5.4.4'],
    ['MX without addresses', { 'example.org': { mx: [[1, 'a.example']] } }, '5.4.4'],
  ] as [string, Record<string, ZoneRecords>, string][])('%s: permanent', async (_what, zones, status) => {
    expect(await find(zones)).toMatchObject({ ok: false, permanent: true, status })
  })
  test.each(['servfail', 'timeout', 'bogus'] as const)('row 43: %s is temporary, at each step', async fails => {
    const temporary = { ok: false, permanent: false, status: '4.4.3' }
    expect(await find({ 'example.org': { fails } })).toMatchObject(temporary)
    const mx = [
      [1, 'a.example'],
      [2, 'gone.example'],
    ] as const
    expect(await find({ 'example.org': { mx }, 'a.example': { fails } })).toMatchObject(temporary)
    const resolver = zoneResolver({ 'example.org': { fails } })
    const noMx = { ...resolver, mx: () => Promise.resolve({ ok: false, why: 'nodata', secure: false } as const) }
    expect(await findExchanges(noMx, domain('example.org'), { self, random: seededRandom(1) })).toMatchObject(temporary)
  })
  test('one host that can be found makes up for one that cannot', async () => {
    const mx = [
      [1, 'a.example'],
      [2, 'b.example'],
    ] as const
    const zones: Record<string, ZoneRecords> = {
      'example.org': { mx },
      'a.example': { fails: 'servfail' },
      'b.example': host(2),
    }
    expect(names(await find(zones))).toEqual(['b.example'])
  })
})

describe('ourselves', () => {
  const mx = [
    [10, 'a.example'],
    [20, 'us.example'],
    [20, 'b.example'],
    [30, 'c.example'],
  ] as const
  const others = { 'a.example': host(1), 'b.example': host(2), 'c.example': host(3) }
  test('row 43: by name, we and what is no better are left out', async () => {
    expect(names(await find({ 'example.org': { mx }, ...others, 'us.example': host(50) }))).toEqual(['a.example'])
  })
  test('row 43: by address just so', async () => {
    const at = (us: ZoneRecords) => find({ 'example.org': { mx }, ...others, 'b.example': us })
    expect(names(await at({ a: ['192.0.2.99'] }))).toEqual(['a.example'])
    expect(names(await at({ aaaa: ['2001:db8:0::99'] }))).toEqual(['a.example'])
  })
  test('row 43: when nothing is better, mail loops back', async () => {
    const loops = { ok: false, permanent: true, status: '5.4.6', cause: 'mail loops back to myself' }
    expect(await find({ 'example.org': { mx: mx.slice(1) }, ...others })).toEqual(loops)
    expect(await find({ 'example.org': { mx: [[1, 'a.example']] }, 'a.example': host(99) })).toEqual(loops)
    expect(await find({ 'example.org': host(99) })).toEqual(loops)
    expect(await find({}, {}, '[192.0.2.99]')).toEqual(loops)
  })
  test('a better host that cannot be looked up now makes it temporary', async () => {
    const zones: Record<string, ZoneRecords> = { 'example.org': { mx }, ...others, 'a.example': { fails: 'timeout' } }
    expect(await find(zones)).toMatchObject({ permanent: false, status: '4.4.3' })
  })
})

describe('addresses that mail may not go to', () => {
  test.each(['127.0.0.1', '127.8.8.8', '0.0.0.0', '224.0.0.1', '169.254.1.1', '255.255.255.255'])(
    'row 43: an MX of %s is refused',
    async ip => {
      const found = await find({ 'example.org': { mx: [[1, 'a.example']] }, 'a.example': { a: [ip] } })
      expect(found).toMatchObject({ ok: false, permanent: true, status: '5.4.4' })
    },
  )
  test.each(['::1', '::', 'ff02::1', 'fe80::1', '::ffff:127.0.0.1'])('row 43: an MX of %s is refused', async ip => {
    const found = await find({ 'example.org': { mx: [[1, 'a.example']] }, 'a.example': { aaaa: [ip] } })
    expect(found).toMatchObject({ ok: false, permanent: true, status: '5.4.4' })
  })
  test('private ones may be used, unless the operator says otherwise', async () => {
    const zones: Record<string, ZoneRecords> = {
      'example.org': { mx: [[1, 'a.example']] },
      'a.example': { a: ['10.0.0.1'] },
    }
    expect(names(await find(zones))).toEqual(['a.example'])
    expect(await find(zones, { allow: ip => !ip.startsWith('10.') })).toMatchObject({ ok: false, permanent: true })
  })
  test('only the addresses in question are left out', async () => {
    const zones: Record<string, ZoneRecords> = {
      'example.org': { mx: [[1, 'a.example']] },
      'a.example': { a: ['127.0.0.1', '192.0.2.1'] },
    }
    expect(await find(zones)).toMatchObject({ hosts: [{ addresses: ['192.0.2.1'] }] })
  })
})

describe('address literals', () => {
  test.each([
    ['[192.0.2.1]', '192.0.2.1'],
    ['[IPv6:2001:db8::1]', '2001:db8::1'],
  ])('%s goes to its address', async (literal, ip) => {
    expect(await find({}, {}, literal)).toMatchObject({ ok: true, implicit: true, hosts: [{ addresses: [ip] }] })
  })
  test.each(['[127.0.0.1]', '[IPv6:::1]', '[IPv6:::ffff:127.0.0.1]'])('row 36: %s is refused', async literal => {
    expect(await find({}, {}, literal)).toMatchObject({ ok: false, permanent: true, status: '5.4.4' })
    expect(await find({}, { allow: () => true }, literal)).toMatchObject({ ok: true })
  })
  test('one of an unknown kind is refused', async () => {
    expect(await find({}, {}, '[x:y]')).toMatchObject({ ok: false, permanent: true, status: '5.1.2' })
  })
})

test('an abort rejects with its reason', async () => {
  const signal = AbortSignal.abort(new Error('stopped'))
  const resolver = zoneResolver({})
  await expect(
    findExchanges(resolver, domain('example.org'), { self, random: seededRandom(1) }, signal),
  ).rejects.toThrow('stopped')
})
