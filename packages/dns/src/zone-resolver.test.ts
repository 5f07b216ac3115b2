import { expect, test } from 'vitest'
import { zoneResolver } from './zone-resolver.ts'
import type { ZoneRecords } from './zones.ts'

test('answers like a resolver, and sees changes at once', async () => {
  const zones: Record<string, ZoneRecords> = {
    'mx.example.org': { a: ['192.0.2.1'], ttl: 60, secure: true },
    alias: { cname: 'mx.example.org' },
    '192.0.2.1': { ptr: ['mx.example.org'] },
  }
  const resolver = zoneResolver(zones)
  expect(await resolver.a('MX.example.org')).toEqual({ ok: true, records: ['192.0.2.1'], secure: true, ttl: 60 })
  expect(await resolver.a('alias')).toMatchObject({ canonical: 'mx.example.org', ttl: 60, secure: false })
  expect(await resolver.ptr('192.0.2.1')).toMatchObject({ records: ['mx.example.org'] })
  expect(await resolver.aaaa('mx.example.org')).toEqual({ ok: false, why: 'nodata', secure: true })
  expect(await resolver.a('example.org')).toMatchObject({ why: 'nodata' })
  expect(await resolver.a('other.org')).toMatchObject({ why: 'nxdomain' })
  expect(await resolver.a('constructor')).toMatchObject({ why: 'nxdomain' })
  zones['mx.example.org'] = { fails: 'timeout' }
  expect(await resolver.a('mx.example.org')).toEqual({ ok: false, why: 'timeout', secure: false })
})
test('a loop of aliases ends', async () => {
  const resolver = zoneResolver({ a: { cname: 'b' }, b: { cname: 'a' } })
  expect(await resolver.a('a')).toMatchObject({ ok: false, why: 'servfail' })
})
