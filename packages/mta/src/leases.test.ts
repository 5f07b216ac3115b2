import type { Outcome, Settlement } from '@posthorn/contracts'
import { describe, expect, it } from 'vitest'
import { delivered, HOUR, MINUTE, relayed, station } from '../test/station.ts'
import type { Station } from '../test/station.ts'

const never = (): Promise<Outcome> => new Promise(() => {})
/** Ends when it is told to, as a client does. */
const untilAborted = (signal: AbortSignal): Promise<Outcome> =>
  new Promise(resolve => {
    const outcome: Outcome = { fate: 'deferred', phase: 'data', cause: 'aborted' }
    signal.addEventListener('abort', () => resolve(outcome), { once: true })
  })
const rows = async (s: Station): Promise<readonly { state: string; attempts: number }[]> =>
  (await s.queue.list({ and: [] }, { limit: 100 })).rows

describe('leases', () => {
  it('of a long attempt are renewed', async () => {
    const s = await station()
    s.mx.answer = () => s.clock.sleep(30 * MINUTE).then(() => relayed)
    await s.post({ 'bob@them.example': 'mx:them.example' })
    await s.dispatcher.start()
    for (let i = 0; i < 29; i++) {
      await s.clock.advance(MINUTE)
      expect(s.mx.jobs[0]?.stillOurs()).toBe(true)
    }
    await s.clock.advance(2 * MINUTE)
    expect(s.mx.jobs).toHaveLength(1)
    expect(await s.left()).toBe(0)
  })
  it('of what waits for room are renewed too', async () => {
    const s = await station({ concurrency: { start: 1, perSite: 1 } })
    s.mx.answer = () => s.clock.sleep(4 * MINUTE).then(() => relayed)
    await s.dispatcher.start()
    for (let i = 0; i < 10; i++) await s.hand({ [`u${i}@them.example`]: 'mx:them.example' })
    await s.clock.advance(HOUR)
    expect(s.mx.jobs).toHaveLength(10)
    expect(await s.left()).toBe(0)
  })
  it('that cannot be renewed are not ours: the transport is told before the final dot', async () => {
    const s = await station()
    s.mx.answer = never
    const [claim] = await s.hand({ 'bob@them.example': 'mx:them.example' })
    await s.dispatcher.start()
    await s.clock.advance(MINUTE)
    expect(s.mx.jobs[0]?.stillOurs()).toBe(true)
    if (claim !== undefined) await s.queue.settle([{ lease: claim, fate: { to: 'dropped', by: 'operator' } }])
    await s.clock.advance(3 * MINUTE)
    expect(s.mx.jobs[0]?.stillOurs()).toBe(false)
  })
  it('that lapse while the store does not answer are not ours either', async () => {
    const s = await station()
    s.mx.answer = never
    await s.dispatcher.start()
    await s.hand({ 'bob@them.example': 'mx:them.example' })
    s.queue.renew = () => Promise.reject(new Error('disk'))
    await s.clock.advance(4 * MINUTE)
    expect(s.mx.jobs[0]?.stillOurs()).toBe(true)
    await s.clock.advance(2 * MINUTE)
    expect(s.mx.jobs[0]?.stillOurs()).toBe(false)
  })
  it('lost while a delivery waits take it out of the line', async () => {
    const s = await station({ concurrency: { start: 1, perSite: 1 } })
    s.mx.answer = () => s.clock.sleep(10 * MINUTE).then(() => relayed)
    await s.dispatcher.start()
    await s.hand({ 'a@them.example': 'mx:them.example' })
    const [second] = await s.hand({ 'b@them.example': 'mx:them.example' })
    await s.clock.advance(MINUTE)
    if (second !== undefined) await s.queue.settle([{ lease: second, fate: { to: 'dropped', by: 'operator' } }])
    await s.clock.advance(HOUR)
    expect(s.mx.jobs).toHaveLength(1)
    expect(s.dispatcher.stats()).toMatchObject({ held: 0, bytes: 0, running: 0 })
  })
  it('of a dispatcher that died are freed at the next start', async () => {
    const s = await station()
    s.mx.answer = never
    await s.hand({ 'bob@them.example': 'mx:them.example' })
    await s.clock.advance(0)
    const t = await station({ queue: s.queue, clock: s.clock, owner: 'another' as typeof s.dispatcher.owner })
    await t.dispatcher.start()
    await t.clock.advance(0)
    expect(t.events()).toEqual(['relayed bob@them.example'])
    expect(t.journal.told).toContainEqual({ name: 'queue.recovered', fields: { leases: 1 } })
  })
})

describe('settling', () => {
  it('goes on until a failing store answers, and delivers nothing twice', async () => {
    const s = await station()
    const settle = s.queue.settle.bind(s.queue)
    let tries = 0
    s.queue.settle = batch =>
      ++tries <= 5 ? Promise.reject(Object.assign(new Error('disk'), { name: 'StoreError' })) : settle(batch)
    await s.dispatcher.start()
    await s.hand({ 'bob@them.example': 'mx:them.example' })
    await s.clock.advance(HOUR)
    expect(tries).toBe(6)
    expect(s.mx.jobs).toHaveLength(1)
    expect(await s.left()).toBe(0)
  })
  it('is not held up by one settlement that the queue does not understand', async () => {
    const s = await station()
    const settle = s.queue.settle.bind(s.queue)
    let poison = 0
    s.queue.settle = batch => {
      if (batch.some(x => x.lease.delivery === poison)) return Promise.reject(new RangeError('not understood'))
      return settle(batch)
    }
    await s.dispatcher.start()
    await s.clock.advance(0)
    const claims = await Promise.all([1, 2, 3].map(i => s.hand({ [`u${i}@them.example`]: 'mx:them.example' })))
    poison = claims[1]?.[0]?.delivery ?? 0
    await s.clock.advance(0)
    expect(await s.left()).toBe(1)
  })
  it('happens in batches and does not hold up the lane', async () => {
    const s = await station()
    const settle = s.queue.settle.bind(s.queue)
    const sizes: number[] = []
    s.queue.settle = async (batch: readonly Settlement[]) => {
      sizes.push(batch.length)
      await s.clock.sleep(100)
      return settle(batch)
    }
    for (let i = 0; i < 500; i++) await s.hand({ [`u${i}@them.example`]: 'mx:them.example' })
    await s.clock.advance(50)
    expect(s.mx.jobs).toHaveLength(500)
    await s.clock.advance(5000)
    expect(await s.left()).toBe(0)
    expect(sizes.length).toBeLessThan(60)
  })
})

describe('a store that is slow to settle', () => {
  it('slows attempts down when memory is short, and everything ends all the same', async () => {
    const s = await station({ held: 16, perClaim: 8 })
    const settle = s.queue.settle.bind(s.queue)
    s.queue.settle = async batch => {
      await s.clock.sleep(1000)
      return settle(batch)
    }
    for (let i = 0; i < 100; i++) await s.post({ [`u${i}@t${i % 3}.example`]: `mx:t${i % 3}.example` })
    await s.dispatcher.start()
    let most = 0
    for (let i = 0; i < 50; i++) {
      most = Math.max(most, s.dispatcher.stats().held)
      await s.clock.advance(1000)
    }
    expect(most).toBeLessThanOrEqual(16)
    expect(await s.left()).toBe(0)
    expect(s.mx.jobs).toHaveLength(100)
  })
})

describe('draining', () => {
  it('gives back what waits at once and lets attempts end', async () => {
    const s = await station({ concurrency: { start: 1, perSite: 1 } })
    s.mx.answer = () => s.clock.sleep(1000).then(() => relayed)
    await s.dispatcher.start()
    for (let i = 0; i < 5; i++) await s.hand({ [`u${i}@them.example`]: 'mx:them.example' })
    await s.clock.advance(10)
    const drained = s.dispatcher.drain(5000)
    await s.clock.advance(0)
    expect((await rows(s)).map(row => row.state).toSorted()).toEqual(['leased', 'ready', 'ready', 'ready', 'ready'])
    expect(s.dispatcher.wants([])).toBe(false)
    await s.clock.advance(1000)
    await drained
    expect(s.events()).toEqual(['relayed u0@them.example'])
    expect(await rows(s)).toHaveLength(4)
    expect(s.dispatcher.stats()).toMatchObject({ held: 0, running: 0, settling: 0 })
  })
  it('breaks off what has not ended in time, untried, and gives its lease back', async () => {
    const s = await station()
    s.mx.answer = (_, signal) => untilAborted(signal)
    await s.dispatcher.start()
    await s.hand({ 'bob@them.example': 'mx:them.example' })
    await s.clock.advance(0)
    const drained = s.dispatcher.drain(5000)
    await s.clock.advance(4999)
    expect((await rows(s))[0]).toMatchObject({ state: 'leased' })
    await s.clock.advance(1)
    await drained
    expect(await rows(s)).toMatchObject([{ state: 'ready', attempts: 0 }])
  })
  it('keeps an end that nobody knows as unknown', async () => {
    const s = await station()
    s.mx.answer = (_, signal) => untilAborted(signal).then(o => ({ ...o, fate: 'unknown', phase: 'dot' }))
    await s.dispatcher.start()
    await s.hand({ 'bob@them.example': 'mx:them.example' })
    await s.clock.advance(0)
    const stopped = s.dispatcher.stop()
    await s.clock.advance(0)
    await stopped
    expect(await rows(s)).toMatchObject([{ attempts: 1 }])
    expect(s.events()).toEqual(['unknown bob@them.example'])
  })
  it('gives back what is handed over or claimed too late', async () => {
    const s = await station()
    await s.dispatcher.start()
    const drained = s.dispatcher.drain(0)
    await s.clock.advance(0)
    await drained
    await s.hand({ 'bob@them.example': 'mx:them.example' })
    await s.clock.advance(0)
    expect(await rows(s)).toMatchObject([{ state: 'ready' }])
    expect(s.mx.jobs).toEqual([])
  })
  it('stop gives back all leases, also of an attempt that does not obey', async () => {
    const s = await station()
    s.mx.answer = never
    await s.dispatcher.start()
    await s.hand({ 'bob@them.example': 'mx:them.example' })
    await s.clock.advance(0)
    const stopped = s.dispatcher.stop()
    await s.clock.advance(10_000)
    await stopped
    expect(await rows(s)).toMatchObject([{ state: 'ready' }])
    expect(s.clock.pending).toBe(0)
  })
  it('claims nothing that comes in meanwhile', async () => {
    const s = await station()
    await s.dispatcher.start()
    await s.clock.advance(0)
    await s.dispatcher.drain(0)
    await s.post({ 'bob@them.example': 'mx:them.example' })
    await s.clock.advance(HOUR)
    expect(s.mx.jobs).toEqual([])
  })
})

describe('an attempt that does not end', () => {
  it('is broken off after two hours, and its place and lease are taken back when it does not obey', async () => {
    const s = await station()
    let aborted = 0
    s.mx.answer = (_, signal) => {
      signal.addEventListener('abort', () => aborted++)
      return s.mx.jobs.length === 1 ? never() : Promise.resolve(relayed)
    }
    await s.dispatcher.start()
    await s.hand({ 'bob@them.example': 'mx:them.example' })
    await s.clock.advance(119 * MINUTE)
    expect(aborted).toBe(0)
    await s.clock.advance(3 * MINUTE)
    expect(aborted).toBe(1)
    await s.clock.advance(80 * MINUTE)
    expect(s.events()).toEqual(['unknown bob@them.example', 'relayed bob@them.example'])
    expect(s.dispatcher.stats().running).toBe(0)
  })
})

it('a store that cannot be claimed from is asked again later', async () => {
  const s = await station()
  const claim = s.queue.claim.bind(s.queue)
  let tries = 0
  s.queue.claim = o => (++tries < 4 ? Promise.reject(new Error('disk')) : claim(o))
  s.local.answer = () => delivered
  await s.post({ 'bob@us.example': 'local:bob' })
  await s.dispatcher.start()
  await s.clock.advance(MINUTE)
  expect(s.events()).toEqual(['delivered bob@us.example'])
})

it('does not ask the queue over and over when there is nothing to do', async () => {
  const s = await station()
  const claim = s.queue.claim.bind(s.queue)
  let tries = 0
  s.queue.claim = o => {
    tries++
    return claim(o)
  }
  await s.dispatcher.start()
  await s.clock.advance(HOUR)
  expect(tries).toBeLessThanOrEqual(62)
})
