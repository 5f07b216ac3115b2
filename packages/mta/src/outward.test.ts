import { defer, reject } from '@posthorn/reply'
import { pass, slot } from '@posthorn/plugin'
import type { Hooks, OnDelivery, Plugin } from '@posthorn/plugin'
import { describe, expect, it } from 'vitest'
import { mailbox } from '../test/ask.ts'
import { DAY, delivered, greylisted, HOUR, MINUTE, relayed, station } from '../test/station.ts'
import type { Station } from '../test/station.ts'

const plugin = (hooks: Hooks, name = 'p'): Plugin => ({ name, setup: () => hooks })
const rows = async (s: Station): Promise<readonly { state: string; attempts: number; why?: string }[]> =>
  (await s.queue.list({ and: [] }, { limit: 100 })).rows

describe('route', () => {
  it('is asked at each attempt and splits a message where recipients go different ways', async () => {
    const relay = { via: 'smtp', host: 'relay.example', port: 25 } as const
    const s = await station({
      plugins: [
        plugin({
          route: ({ to }, c) =>
            to.local === 'a' ? undefined : c.tries > 0 ? { via: 'transport', name: 'local', arg: 'x' } : relay,
        }),
      ],
    })
    s.mx.answer = job => (job.route.via === 'smtp' ? greylisted : relayed)
    await s.post({ 'a@t.example': 'mx:t.example', 'b@t.example': 'mx:t.example', 'c@t.example': 'mx:t.example' })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(s.mx.jobs.map(job => [job.route, job.recipients.length])).toEqual([
      [{ via: 'mx', domain: 't.example' }, 1],
      [relay, 2],
    ])
    await s.clock.advance(5 * MINUTE)
    expect(s.local.jobs.map(job => job.recipients.length)).toEqual([2])
    expect(await s.left()).toBe(0)
  })
  it('that reads the same is one object for all messages, so that a transport finds what it knows of it', async () => {
    const s = await station({
      plugins: [plugin({ route: () => ({ via: 'smtp', host: 'relay.example', port: 25 }) })],
    })
    s.mx.answer = () => relayed
    for (const to of ['a', 'b']) await s.post({ [`${to}@t.example`]: 'mx:t.example' })
    await s.dispatcher.start()
    await s.clock.advance(0)
    const [first, second] = s.mx.jobs.map(job => job.route)
    expect(first).toEqual({ via: 'smtp', host: 'relay.example', port: 25 })
    expect(second).toBe(first)
  })
  it('that says what would have been done anyhow does not split a message', async () => {
    const s = await station({
      plugins: [plugin({ route: ({ to }) => (to.local === 'a' ? undefined : { via: 'mx', domain: 't.example' }) })],
    })
    s.mx.answer = () => relayed
    await s.post({ 'a@t.example': 'mx:t.example', 'b@t.example': 'mx:t.example' })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(s.mx.jobs.map(job => job.recipients.length)).toEqual([2])
  })
  it('of a plugin that fails postpones the delivery, untried and unbounced', async () => {
    const s = await station({
      plugins: [
        plugin({
          route: () => {
            throw new Error('no')
          },
        }),
      ],
    })
    await s.post({ 'a@t.example': 'mx:t.example' })
    await s.dispatcher.start()
    await s.clock.advance(6 * DAY)
    expect(await rows(s)).toMatchObject([{ attempts: 0, why: 'plugin p failed in route' }])
    expect(s.mx.jobs).toEqual([])
  })
})

describe('returnPath', () => {
  it('is what the peer sees, while reports go to the sender', async () => {
    const s = await station({ plugins: [plugin({ returnPath: () => mailbox('srs=a@us.example') })] })
    s.mx.answer = () => ({ fate: 'failed', phase: 'rcpt', cause: 'no' })
    await s.post({ 'a@t.example': 'mx:t.example' })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(s.mx.jobs[0]?.returnPath?.wire).toBe('srs=a@us.example')
    expect(s.reports.map(report => report.to.wire)).toEqual(['a@us.example'])
  })
})

describe('attempt', () => {
  const ask = async (answer: Hooks['attempt'] & object): Promise<Station> => {
    const s = await station({ plugins: [plugin({ attempt: answer })] })
    await s.post({ 'a@t.example': 'mx:t.example' })
    await s.dispatcher.start()
    await s.clock.advance(0)
    return s
  }
  it('may let it pass', async () => {
    const s = await ask((route, c) =>
      route.via === 'mx' && c.site === 'mx:t.example' ? pass : reject(554, '5.7.1', 'No'),
    )
    expect(s.events()).toEqual(['relayed a@t.example'])
  })
  it('may make it wait, which is no attempt', async () => {
    let waits = 0
    const s = await ask(() => (waits++ === 0 ? { wait: 90_000, why: 'throttled' } : pass))
    expect(await rows(s)).toMatchObject([{ attempts: 0, why: 'throttled', state: 'ready' }])
    await s.clock.advance(89_000)
    expect(s.mx.jobs).toEqual([])
    await s.clock.advance(2_000)
    expect(s.events()).toEqual(['relayed a@t.example'])
  })
  it('may hold it, which is no attempt and stops its expiry', async () => {
    const s = await ask(() => ({ hold: 'looks odd' }))
    await s.clock.advance(9 * DAY)
    expect(await rows(s)).toMatchObject([{ attempts: 0, why: 'looks odd', state: 'held' }])
    expect(s.events()).toEqual(['held a@t.example'])
  })
  it('may defer it, which is an attempt', async () => {
    const s = await ask(() => defer(451, '4.7.1', 'Not now'))
    expect(await rows(s)).toMatchObject([{ attempts: 1, state: 'ready' }])
  })
  it('may refuse it, and the sender hears with which status', async () => {
    const s = await ask(() => reject(554, '5.7.1', 'Not this'))
    expect(await s.left()).toBe(0)
    expect(s.reports[0]?.text).toMatch(/Status: 5\.7\.1/)
    expect(s.mx.jobs).toEqual([])
  })
  it('of a plugin that fails never costs a message its life', async () => {
    const s = await ask(() => {
      throw new Error('no')
    })
    await s.clock.advance(9 * DAY)
    expect(await rows(s)).toMatchObject([{ attempts: 0, state: 'ready' }])
  })
  it('does not slow down or stop a site that answers other mail', async () => {
    const s = await station({ plugins: [plugin({ attempt: () => defer(451, '4.7.1', 'Not now') })] })
    for (let i = 0; i < 30; i++) await s.hand({ [`u${i}@t.example`]: 'mx:t.example' })
    await s.clock.advance(0)
    expect(s.events()).toHaveLength(30)
  })
})

describe('settled', () => {
  it('sees the outcome of each recipient, with the slots of its delivery', async () => {
    const seen = slot<string>('seen')
    const told: [string, string, string | undefined][] = []
    const s = await station({
      plugins: [
        plugin({
          attempt: (_, c) => {
            c.set(seen, c.rcpt.to.local)
            return pass
          },
          settled: (outcome, c: OnDelivery) => void told.push([outcome.fate, c.rcpt.to.local, c.get(seen)]),
        }),
      ],
    })
    s.mx.answer = () => [relayed, greylisted]
    await s.post({ 'a@t.example': 'mx:t.example', 'b@t.example': 'mx:t.example' })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(told).toEqual([
      ['relayed', 'a', 'a'],
      ['deferred', 'b', 'b'],
    ])
  })
  it('alone does not need the other hooks', async () => {
    const told: string[] = []
    const s = await station({ plugins: [plugin({ settled: (o, c) => void told.push(`${o.fate} ${c.origin}`) })] })
    s.local.answer = () => delivered
    await s.post({ 'a@us.example': 'local:a' })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(told).toEqual(['delivered mx'])
  })
})

it('pausing a site gives back what waits for it and tries nothing until it is over', async () => {
  const s = await station({ concurrency: { start: 1, perSite: 1 } })
  s.mx.answer = () => s.clock.sleep(1000).then(() => relayed)
  await s.dispatcher.start()
  for (let i = 0; i < 3; i++) await s.hand({ [`u${i}@t.example`]: 'mx:t.example' })
  await s.clock.advance(10)
  await s.dispatcher.pause('mx:t.example' as never, HOUR, 'by policy')
  await s.clock.advance(59 * MINUTE)
  expect(s.mx.jobs).toHaveLength(1)
  await s.clock.advance(2 * MINUTE)
  expect(s.mx.jobs).toHaveLength(3)
})
