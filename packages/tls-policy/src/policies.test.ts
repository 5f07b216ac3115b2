import { describe, expect, test } from 'vitest'
import { manualClock, memoryKeyValue } from '@posthorn/testkit'
import type { Answer, Json, Tlsa } from '@posthorn/contracts'
import { createTlsPolicies, type HostPolicy, type PolicyHost, type TlsPoliciesOptions } from './index.ts'

const signal = new AbortController().signal
const digest = (matching: number, length: number, usage = 3): Tlsa => ({
  usage,
  selector: 1,
  matching,
  data: new Uint8Array(length),
})
const records = <T>(values: readonly T[], secure = false): Answer<T> => ({
  ok: true,
  records: values,
  secure,
  ttl: 300,
})
const none = { ok: false, why: 'nxdomain', secure: false } as const
const host = (over: Partial<PolicyHost> = {}): PolicyHost => ({
  name: 'mx.example.org',
  port: 25,
  named: true,
  secure: true,
  ...over,
})
const policyText = (mode: string, mx = 'mx.example.org', maxAge = 604_800): string =>
  `version: STSv1\nmode: ${mode}\nmx: ${mx}\nmax_age: ${maxAge}\n`

/** A world whose DNS and policy server may change. */
const world = (over: Partial<TlsPoliciesOptions> = {}) => {
  const clock = manualClock()
  const asked: string[] = []
  const at = {
    tlsa: {} as Record<string, Answer<Tlsa>>,
    txt: none as Answer<string>,
    file: new Error('no server') as string | Error,
    fetches: 0,
    events: [] as (Json | undefined)[],
  }
  const kv = memoryKeyValue(clock)
  const fresh = () =>
    createTlsPolicies({
      clock,
      dane: true,
      resolver: {
        tlsa: async name => (asked.push(name), at.tlsa[name] ?? none),
        txt: async name => (asked.push(name), at.txt),
      },
      mtaSts: {
        kv,
        fetchPolicy: async () => {
          at.fetches += 1
          if (at.file instanceof Error) throw at.file
          return at.file
        },
      },
      journal: { event: (_name, fields) => void at.events.push(fields['why']), child: () => expect.unreachable() },
      ...over,
    })
  let policies = fresh()
  return {
    at,
    asked,
    clock,
    restart: () => (policies = fresh()),
    ask: async (over: Partial<PolicyHost> = {}, tries = 0) =>
      policies.forHost('example.org', host(over), { tries, signal }),
    again: () => policies.forHost('example.org', host(), { tries: 0, signal }),
  }
}
const short = (policy: HostPolicy): string =>
  policy.ok
    ? `${policy.need.level} because of ${policy.need.because}`
    : `${policy.outcome.fate} at ${policy.outcome.phase}: ${policy.outcome.cause}`
const usable = records([digest(1, 32)], true)

describe('DANE', () => {
  test('holds where the DNS vouches for exchanger, addresses and records, for the names that RFC 7672 §3.2.2 allows', async () => {
    const w = world()
    w.at.tlsa['_25._tcp.mx.example.org'] = usable
    expect(await w.ask()).toEqual({
      ok: true,
      need: {
        level: 'dane',
        names: ['mx.example.org', 'example.org'],
        tlsa: usable.ok && usable.records,
        because: 'dane',
      },
      vouched: true,
    })
  })
  test.each([
    ['the MX', { named: false }],
    ['the addresses', { secure: false }],
  ])('is not looked for when nobody vouches for %s', async (_what, over) => {
    const w = world()
    w.at.tlsa['_25._tcp.mx.example.org'] = usable
    expect(short(await w.ask(over))).toBe('may because of opportunistic')
    expect(w.asked).toEqual(['_mta-sts.example.org'])
  })
  test('row 43: records that nobody vouches for do not count', async () => {
    const w = world()
    w.at.tlsa['_25._tcp.mx.example.org'] = records([digest(1, 32)])
    expect(short(await w.ask())).toBe('may because of opportunistic')
  })
  test.each([0, 1, 3, 19])('row 43: TLSA data of %i octets ask for encryption without a check', async length => {
    const w = world()
    w.at.tlsa['_25._tcp.mx.example.org'] = records([digest(1, length), digest(2, length), digest(1, 32, 1)], true)
    expect(short(await w.ask())).toBe('encrypt because of dane')
  })
  test.each(['servfail', 'timeout', 'bogus'] as const)(
    'row 43: %s of the TLSA look-up defers, and is asked again',
    async why => {
      const w = world()
      w.at.tlsa['_25._tcp.mx.example.org'] = { ok: false, why, secure: false }
      const expected = `deferred at dns: the TLSA records of mx.example.org cannot be looked up now (${why})`
      expect(short(await w.ask())).toBe(expected)
      expect(short(await w.ask({}, 100))).toBe(expected)
      w.at.tlsa['_25._tcp.mx.example.org'] = usable
      expect(short(await w.ask())).toBe('dane because of dane')
    },
  )
  test('row 43: an MX that is an alias has its records at the end of it, or else at its beginning', async () => {
    const w = world()
    w.at.tlsa['_2525._tcp.real.example.net'] = usable
    const policy = await w.ask({ canonical: 'real.example.net', port: 2525 })
    expect(policy.ok && policy.need.names).toEqual(['real.example.net', 'mx.example.org', 'example.org'])
    const x = world()
    x.at.tlsa['_25._tcp.mx.example.org'] = usable
    expect(short(await x.ask({ canonical: 'real.example.net' }))).toBe('dane because of dane')
  })
})

describe('MTA-STS', () => {
  const published = (mode: string, mx?: string, maxAge?: number) => {
    const w = world({ dane: false })
    w.at.txt = records(['v=STSv1; id=1;'])
    w.at.file = policyText(mode, mx, maxAge)
    return w
  }
  test('enforced, verifies the hosts that it names and sends nothing to others', async () => {
    expect(short(await published('enforce').ask())).toBe('verify because of mta-sts')
    expect(short(await published('enforce', '*.example.org').ask())).toBe('verify because of mta-sts')
    expect(short(await published('enforce', 'other.example').ask())).toBe(
      'deferred at tls: the MTA-STS policy of example.org does not name mx.example.org',
    )
  })
  test('in testing or with mode none stops nothing', async () => {
    expect(short(await published('testing', 'other.example').ask())).toBe('may because of mta-sts-testing')
    expect(short(await published('none').ask())).toBe('may because of opportunistic')
  })
  test('stands behind DANE, and before TLSA records of which none can be used', async () => {
    const w = world()
    w.at.txt = records(['v=STSv1; id=1;'])
    w.at.file = policyText('enforce', 'other.example')
    w.at.tlsa['_25._tcp.mx.example.org'] = usable
    expect(short(await w.ask())).toBe('dane because of dane')
    expect(w.at.fetches).toBe(0)
    const x = world()
    x.at.txt = w.at.txt
    x.at.file = policyText('enforce')
    x.at.tlsa['_25._tcp.mx.example.org'] = records([digest(1, 3)], true)
    expect(short(await x.ask())).toBe('verify because of mta-sts')
  })
  test('is fetched once for many, remembered over a restart, and looked at again after a day', async () => {
    const w = published('enforce')
    await Promise.all([w.ask(), w.ask({ port: 26 }), w.ask({ name: 'mx2.example.org' })])
    expect(w.at.fetches).toBe(1)
    w.restart()
    expect(short(await w.ask())).toBe('verify because of mta-sts')
    expect(w.at.fetches).toBe(1)
    await w.clock.advance(86_400_001)
    await w.ask()
    expect(w.at.fetches).toBe(2)
  })
  test('is fetched anew when the record has another id', async () => {
    const w = published('enforce')
    await w.ask()
    w.at.txt = records(['v=STSv1; id=2;'])
    w.at.file = policyText('none')
    await w.clock.advance(60_001)
    expect(short(await w.ask())).toBe('may because of opportunistic')
  })
  test.each<[string, Answer<string>, string | Error]>([
    ['the record is gone', none, new Error('gone')],
    ['the DNS fails', { ok: false, why: 'servfail', secure: false }, new Error('gone')],
    ['the record says something new and the server fails', records(['v=STSv1; id=2;']), new Error('refused')],
    ['the server gives a broken policy', records(['v=STSv1; id=2;']), policyText('enforce', '*')],
    ['there are two records', records(['v=STSv1; id=1;', 'v=STSv1; id=2;']), policyText('none')],
  ])('row 45: a policy that was remembered is not downgraded when %s', async (_what, txt, file) => {
    const w = published('enforce')
    await w.ask()
    Object.assign(w.at, { txt, file })
    await w.clock.advance(3_600_000)
    w.restart()
    expect(short(await w.ask())).toBe('verify because of mta-sts')
    await w.clock.advance(604_800_000)
    expect(short(await w.ask({}, 100))).toBe('may because of opportunistic')
  })
  test('row 45: a first policy that cannot be had is none, is told of, and is not asked for again for five minutes', async () => {
    const w = published('enforce', '*')
    expect(short(await w.ask())).toBe('may because of opportunistic')
    expect(w.at.events).toEqual(['one of its mx is no host and no pattern such as *.example.org'])
    await w.clock.advance(61_000)
    await w.ask()
    expect(w.at.fetches).toBe(1)
    w.at.file = policyText('enforce')
    await w.clock.advance(300_000)
    expect(short(await w.ask())).toBe('verify because of mta-sts')
  })
  test('a server that does not answer is given up after a minute', async () => {
    const clock = manualClock()
    const policies = createTlsPolicies({
      clock,
      dane: false,
      resolver: { tlsa: async () => none, txt: async () => records(['v=STSv1; id=1;']) },
      mtaSts: {
        kv: memoryKeyValue(clock),
        fetchPolicy: (_domain, until) =>
          new Promise((_resolve, reject) => until.addEventListener('abort', () => reject(until.reason as Error))),
      },
    })
    const asking = Promise.resolve(policies.forHost('example.org', host(), { tries: 0, signal }))
    await clock.advance(60_000)
    expect(short(await asking)).toBe('may because of opportunistic')
    expect(clock.pending).toBe(0)
  })
  test.each(['servfail', 'timeout', 'bogus'] as const)(
    'row 43: %s of the TXT look-up defers, and after some attempts mail goes as RFC 8461 §5.1 has it',
    async why => {
      const w = world({ dane: false })
      w.at.txt = { ok: false, why, secure: false }
      expect(short(await w.ask())).toBe('deferred at dns: the DNS cannot say whether example.org has an MTA-STS policy')
      expect(short(await w.ask({}, 3))).toBe('may because of opportunistic')
    },
  )
  test('an attempt that is given up does not take the fetch from the others', async () => {
    const w = published('enforce')
    const gone = AbortSignal.abort(new Error('given up'))
    const policies = w.restart()
    await expect(policies.forHost('example.org', host(), { tries: 0, signal: gone })).rejects.toThrow('given up')
    expect(short(await w.ask())).toBe('verify because of mta-sts')
  })
})

test('what was asked a moment ago is answered at once, and looked at again after a minute', async () => {
  const w = world()
  const first = await w.ask()
  expect(w.again()).toBe(first)
  const asked = w.asked.length
  await w.clock.advance(60_000)
  await w.ask()
  expect(w.asked.length).toBeGreaterThan(asked)
})

test('what the operator says of a domain, or of all below one, holds instead of everything else', async () => {
  const w = world({ domains: { 'example.org': 'never', '*.example.net': 'verify' } })
  w.at.tlsa['_25._tcp.mx.example.org'] = usable
  expect(short(await w.ask())).toBe('never because of configuration')
  expect(w.asked).toEqual([])
  const policies = createTlsPolicies({
    clock: manualClock(),
    dane: false,
    resolver: { tlsa: async () => none, txt: async () => none },
    domains: { '*.example.net': 'verify' },
  })
  const of = async (domain: string) => short(await policies.forHost(domain, host(), { tries: 0, signal }))
  expect(await of('a.b.example.net')).toBe('verify because of configuration')
  expect(await of('example.net')).toBe('may because of opportunistic')
})
