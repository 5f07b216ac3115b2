import type { Outcome } from '@posthorn/contracts'
import { describe, expect, it } from 'vitest'
import { DAY, greylisted, MINUTE, relayed, site, station, unreachable } from '../test/station.ts'
import type { Station } from '../test/station.ts'

/** Exchangers of domains; others have their own. */
const exchangers = (all: Readonly<Record<string, readonly string[]>>) => async (domain: string) => ({
  mx: all[domain] ?? [`mx.${domain}`],
  tls: 'may',
})
const big = ['mx1.big.example', 'mx2.big.example']
const hosted = { 'a.example': big, 'b.example': big.toReversed(), 'c.example': big.slice(1) }
const laneOf = (s: Station, key: string): unknown => s.dispatcher.stats().sites.find(stats => stats.site === key)?.lane

describe('sites with the same mail exchangers', () => {
  it('share one window, whatever the order of the exchangers, and others have their own', async () => {
    const s = await station({ reach: exchangers(hosted) })
    s.mx.answer = () => s.clock.sleep(1000).then(() => relayed)
    for (const domain of ['a.example', 'b.example', 'c.example'])
      for (let i = 0; i < 10; i++) await s.hand({ [`u${i}@${domain}`]: `mx:${domain}` })
    await s.clock.advance(0)
    expect(s.mx.jobs.filter(job => job.site !== 'mx:c.example')).toHaveLength(5)
    expect(s.mx.jobs.filter(job => job.site === 'mx:c.example')).toHaveLength(5)
    expect(laneOf(s, 'mx:a.example')).toBe('mx1.big.example,mx2.big.example may')
    expect(laneOf(s, 'mx:b.example')).toBe(laneOf(s, 'mx:a.example'))
  })
  it('are all left alone when their receiver does not answer, those that come later too', async () => {
    const s = await station({ reach: exchangers(hosted) })
    s.mx.answer = () => unreachable
    for (let i = 0; i < 5; i++) await s.hand({ [`u${i}@a.example`]: 'mx:a.example' })
    await s.clock.advance(0)
    expect(s.mx.jobs).toHaveLength(5)
    await s.hand({ 'u@b.example': 'mx:b.example' })
    await s.hand({ 'u@c.example': 'mx:c.example' })
    await s.clock.advance(0)
    expect(s.mx.jobs.map(job => job.site).slice(5)).toEqual(['mx:c.example'])
    expect(s.dispatcher.wants([site('mx:b.example')])).toBe(false)
    const { rows } = await s.queue.list({ and: [{ field: 'site', op: '=', value: 'mx:b.example' }] }, { limit: 9 })
    expect(rows).toMatchObject([{ attempts: 0, why: 'site does not answer: connection refused' }])
  })
  it.each([
    ['is not found in the DNS', 'dns'],
    ['has a TLS policy that is not met', 'tls'],
  ] as const)('of which one %s leave it to itself', async (_, phase) => {
    const s = await station({ reach: exchangers(hosted) })
    const own: Outcome = { fate: 'deferred', phase, cause: 'not now', status: '4.4.3' }
    s.mx.answer = job => (job.site === 'mx:a.example' ? own : relayed)
    for (let i = 0; i < 20; i++) await s.hand({ [`u${i}@a.example`]: 'mx:a.example' })
    for (let i = 0; i < 20; i++) await s.hand({ [`u${i}@b.example`]: 'mx:b.example' })
    await s.clock.advance(0)
    expect(s.events().filter(e => e.startsWith('relayed'))).toHaveLength(20)
    expect(s.dispatcher.wants([site('mx:a.example')])).toBe(false)
    expect(s.dispatcher.wants([site('mx:b.example')])).toBe(true)
  })
  it('under different TLS policies are two receivers', async () => {
    const reach = async (domain: string) => ({ mx: big, tls: domain === 'a.example' ? 'verify (mta-sts)' : 'may' })
    const s = await station({ reach })
    s.mx.answer = () => s.clock.sleep(1000).then(() => relayed)
    for (const domain of ['a.example', 'b.example'])
      for (let i = 0; i < 10; i++) await s.hand({ [`u${i}@${domain}`]: `mx:${domain}` })
    await s.clock.advance(0)
    expect(s.mx.running).toBe(10)
  })
  it('are by themselves again when their exchangers change', async () => {
    const now: Record<string, readonly string[]> = { ...hosted }
    const s = await station({ reach: exchangers(now) })
    s.mx.answer = () => s.clock.sleep(1000).then(() => relayed)
    const hand = async (): Promise<void> => {
      for (const domain of ['a.example', 'b.example']) await s.hand({ [`u@${domain}`]: `mx:${domain}` })
      await s.clock.advance(0)
    }
    await hand()
    expect(laneOf(s, 'mx:b.example')).toBe(laneOf(s, 'mx:a.example'))
    now['b.example'] = ['mx.elsewhere.example']
    await s.clock.advance(2 * MINUTE)
    await hand()
    expect(laneOf(s, 'mx:b.example')).toBe('mx.elsewhere.example may')
  })
  it('have each message tried once before it is returned, although their receiver never answered', async () => {
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`d${i}.example`, big]))
    const s = await station({ reach: exchangers(many) })
    s.mx.answer = () => unreachable
    for (let i = 0; i < 90; i++) await s.post({ [`u${i}@d${i % 30}.example`]: `mx:d${i % 30}.example` })
    await s.dispatcher.start()
    await s.clock.advance(9 * DAY)
    expect(await s.left()).toBe(0)
    const tried = new Set(s.mx.jobs.flatMap(job => job.recipients.map(r => r.to.wire)))
    expect(tried.size).toBe(90)
    expect(s.events().filter(e => e.startsWith('expired'))).toHaveLength(90)
  })
})

describe('a receiver that wants less', () => {
  const busy: Outcome = {
    fate: 'deferred',
    phase: 'mail',
    cause: 'slow down',
    reply: { code: 451, enhanced: '4.7.500', lines: ['Server busy'] },
    remote: 'mx.big.example[192.0.2.1]:25',
  }
  it.each([
    ['421', { ...busy, reply: { code: 421, lines: ['4.3.2 closing'] } }],
    ['4.7.z', busy],
  ])('says so with %s: its window shrinks, and that of nobody else', async (_, less) => {
    const s = await station({ reach: exchangers({}) })
    let once = true
    s.mx.answer = job =>
      s.clock.sleep(1000).then(() => {
        if (job.site !== 'mx:a.example' || !once) return relayed
        once = false
        return less
      })
    for (let i = 0; i < 60; i++)
      for (const domain of ['a.example', 'b.example']) await s.hand({ [`u${i}@${domain}`]: `mx:${domain}` })
    await s.clock.advance(1100)
    const window = (key: string): unknown => s.dispatcher.stats().sites.find(stats => stats.site === key)?.window
    expect(window('mx:a.example')).toBeLessThan(4)
    expect(window('mx:b.example')).toBe(6)
    expect(s.dispatcher.wants([site('mx:a.example')])).toBe(true)
  })
  it('to every attempt of a window is left alone for as long as it says, and mail goes on then', async () => {
    const s = await station({ reach: exchangers({}) })
    const reply = { ...busy.reply, code: 451, lines: ['too many messages, try again in 20 minutes'] }
    s.mx.answer = () => (s.mx.jobs.length <= 5 ? { ...busy, reply } : relayed)
    for (let i = 0; i < 30; i++) await s.post({ [`u${i}@a.example`]: 'mx:a.example' })
    await s.dispatcher.start()
    await s.clock.advance(19 * MINUTE)
    expect(s.mx.jobs).toHaveLength(5)
    const { rows } = await s.queue.list({ and: [{ field: 'attempts', op: '=', value: '0' }] }, { limit: 1 })
    expect(rows[0]?.why).toMatch(/^site asks for less: mx\.big\.example.* said: 451 4\.7\.500 too many messages/)
    await s.clock.advance(10 * MINUTE)
    expect(await s.left()).toBe(0)
  })
  it('is not what one that greylists is', async () => {
    const s = await station({ reach: exchangers({}) })
    s.mx.answer = () => greylisted
    for (let i = 0; i < 30; i++) await s.post({ [`u${i}@a.example`]: 'mx:a.example' })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(s.mx.jobs).toHaveLength(30)
  })
})

describe('the operator’s limits', () => {
  const reach = exchangers({
    ...hosted,
    'gmail.example': ['gmail-in.l.google.com'],
    'corp.example': ['aspmx.l.google.com'],
  })
  const slow = async (s: Station): Promise<Outcome> => s.clock.sleep(1000).then(() => relayed)
  const fill = async (s: Station, key: string, count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await s.hand({ [`u${i}@x.example`]: key })
  }

  it.each([
    ['mx:a.example', 'mx:a.example'],
    ['a.example', 'mx:a.example'],
    ['mx2.big.example', 'mx:a.example'],
    ['*.google.com', 'mx:corp.example'],
    ['*.example', 'smtp:relay.example:587'],
    ['relay.example', 'smtp:relay.example:587'],
    ['*', 'mx:elsewhere.example'],
    ['local:bob', 'local:bob'],
  ])('for %j bound %s', async (name, key) => {
    const s = await station({ reach, limits: { [name]: { connections: 2, messagesPerConnection: 7 } } })
    s.mx.answer = () => slow(s)
    s.local.answer = () => slow(s)
    await fill(s, key, 9)
    await fill(s, 'mx:free.test', 9)
    await s.clock.advance(0)
    expect([...s.mx.jobs, ...s.local.jobs].filter(job => job.site === key)).toHaveLength(2)
    expect([...s.mx.jobs, ...s.local.jobs].find(job => job.site === key)?.egress).toEqual({ messagesPerConnection: 7 })
    expect(s.mx.jobs.filter(job => job.site === 'mx:free.test')).toHaveLength(name === '*' ? 2 : 5)
    await s.clock.advance(30_000)
    expect(await s.left()).toBe(0)
  })
  it.each([
    ['*', false, { chunking: false }],
    ['a.example', true, undefined],
  ])('for %j say whether BDAT is used (%s)', async (name, chunking, egress) => {
    const s = await station({ reach, limits: { [name]: { chunking } } })
    s.mx.answer = () => Promise.resolve(relayed)
    await s.hand({ 'u@x.example': 'mx:a.example' })
    await s.clock.advance(0)
    expect(s.mx.jobs[0]?.egress).toEqual(egress)
  })
  it('are shared by all that one entry is for, and the nearest entry counts', async () => {
    const limits = { '*.google.com': { connections: 3 }, 'corp.example': { connections: 1 }, '*': { connections: 4 } }
    const s = await station({ reach, limits })
    s.mx.answer = () => slow(s)
    for (const domain of ['gmail.example', 'corp.example', 'a.example', 'c.example']) await fill(s, `mx:${domain}`, 20)
    await fill(s, 'mx:gmail2.google.com', 20)
    await s.clock.advance(0)
    const running = (...domains: string[]): number =>
      s.mx.jobs.filter(job => domains.includes(job.site.slice('mx:'.length))).length
    expect(running('gmail.example', 'gmail2.google.com')).toBe(3)
    expect([running('corp.example'), running('a.example'), running('c.example')]).toEqual([1, 4, 4])
    await s.clock.advance(60_000)
    expect(await s.left()).toBe(0)
  })
  it('may be more than the usual window', async () => {
    const s = await station({ reach, limits: { 'a.example': { connections: 40 } } })
    s.mx.answer = () => slow(s)
    await fill(s, 'mx:a.example', 900)
    await s.clock.advance(60_000)
    expect(s.mx.most).toBe(40)
  })
  it('divide recipients', async () => {
    const s = await station({ reach, limits: { 'a.example': { recipients: 10 } } })
    await s.hand(Object.fromEntries(Array.from({ length: 35 }, (_, i) => [`u${i}@a.example`, 'mx:a.example'])))
    await s.clock.advance(0)
    expect(s.mx.jobs.map(job => job.recipients.length)).toEqual([10, 10, 10, 5])
  })
  it('let so many messages go in a time, from several domains together, and delay nobody else', async () => {
    const rate = { messages: 60, ms: MINUTE }
    const s = await station({ reach, limits: { '*.google.com': { rate } } })
    await s.dispatcher.start()
    for (const domain of ['gmail.example', 'corp.example', 'a.example']) await fill(s, `mx:${domain}`, 40)
    await s.clock.advance(0)
    expect(s.mx.jobs.filter(job => job.site === 'mx:a.example')).toHaveLength(40)
    await s.clock.advance(30_500)
    const google = s.mx.jobs.filter(job => job.site !== 'mx:a.example')
    expect(google).toHaveLength(31)
    // In turns.
    expect(google.filter(job => job.site === 'mx:corp.example').length).toBeGreaterThan(12)
    await s.clock.advance(5 * MINUTE)
    expect(await s.left()).toBe(0)
  })
  it('keep what a rate does not let go soon in the queue, which says why it waits', async () => {
    const s = await station({ reach, limits: { 'a.example': { rate: { messages: 10, ms: MINUTE } } } })
    for (let i = 0; i < 200; i++) await s.post({ [`u${i}@a.example`]: 'mx:a.example' })
    await s.dispatcher.start()
    await s.clock.advance(1000)
    expect(s.dispatcher.stats().held).toBeLessThanOrEqual(11)
    const { rows } = await s.queue.list({ and: [] }, { limit: 300 })
    const whys = new Set(rows.flatMap(row => (row.state === 'leased' || row.why === undefined ? [] : [row.why])))
    expect([...whys]).toEqual(['waits for the rate limit of a.example (10/min)'])
    const [held] = rows.filter(row => row.state === 'leased')
    expect(held && s.dispatcher.whyWaits(held.site, held.id)).toBe('waits for the rate limit of a.example (10/min)')
    await s.clock.advance(10 * MINUTE)
    expect(s.mx.jobs.length).toBeGreaterThan(90)
    expect(s.mx.jobs.length).toBeLessThan(112)
    await s.clock.advance(20 * MINUTE)
    expect(await s.left()).toBe(0)
  })
})
