import type { Job, Outcome } from '@posthorn/contracts'
import { pass } from '@posthorn/plugin'
import { describe, expect, it } from 'vitest'
import {
  DAY,
  delivered,
  greylisted,
  HOUR,
  MINUTE,
  refused,
  relayed,
  Scripted,
  site,
  station,
  unreachable,
} from '../test/station.ts'

describe('a delivery', () => {
  it('leaves the queue when it is relayed, and the journal says so', async () => {
    const s = await station()
    const id = await s.post({ 'bob@them.example': 'mx:them.example' })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(s.mx.jobs).toHaveLength(1)
    expect(s.mx.jobs[0]).toMatchObject({ id, site: 'mx:them.example', route: { via: 'mx', domain: 'them.example' } })
    expect(await s.left()).toBe(0)
    expect(s.journal.told).toMatchObject([
      { name: 'delivery.relayed', fields: { id, rcpt: 'bob@them.example', attempt: 1, code: 250, phase: 'dot' } },
    ])
    expect(s.reports).toEqual([])
  })

  it('goes by the route that the site key stands for', async () => {
    const s = await station()
    await s.post({
      'a@x.example': 'smtp:relay.example:587',
      'b@x.example': 'smtp:::1:2525',
      'c@x.example': 'local:bob',
    })
    await s.dispatcher.start()
    await s.clock.advance(0)
    const routes = s.mx.jobs.map(job => job.route)
    expect(routes).toHaveLength(2)
    expect(routes).toContainEqual({ via: 'smtp', host: 'relay.example', port: 587 })
    expect(routes).toContainEqual({ via: 'smtp', host: '::1', port: 2525 })
    expect(s.local.jobs.map(job => job.route)).toEqual([{ via: 'transport', name: 'local', arg: 'bob' }])
  })

  it('takes all recipients of a message at a site in one job, a hundred at most', async () => {
    const s = await station()
    const to = Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`u${i}@them.example`, 'mx:them.example']))
    await s.post({ ...to, 'bob@other.example': 'mx:other.example' })
    await s.dispatcher.start()
    await s.clock.advance(0)
    const sizes = s.mx.jobs.filter(job => job.site === 'mx:them.example').map(job => job.recipients.length)
    expect(sizes.reduce((a, b) => a + b)).toBe(250)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(100)
    expect(sizes.length).toBeLessThanOrEqual(5)
    expect(await s.left()).toBe(0)
  })

  it('keeps recipients with different return paths apart', async () => {
    const s = await station()
    const owner = { local: 'owner', domain: 'us.example', wire: 'owner@us.example' } as Job['returnPath']
    const draft = s.queue.begin()
    await draft.end()
    const envelope = { returnPath: null, origin: 'list', smtputf8: false, body: '7bit', requireTls: false } as const
    const to = { local: 'x', domain: 'them.example', wire: 'x@them.example' } as NonNullable<Job['returnPath']>
    const at = { to, site: site('mx:them.example') }
    await draft.commit({ envelope, recipients: [at, { ...at, returnPath: owner }, { ...at, returnPath: owner }] })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(s.mx.jobs.map(job => [job.returnPath?.wire, job.recipients.length])).toEqual([
      [undefined, 1],
      ['owner@us.example', 2],
    ])
  })

  it('is tried again after 5, 10, 20, 40 and then every 66 minutes while it is deferred', async () => {
    const s = await station()
    s.mx.answer = () => greylisted
    await s.post({ 'bob@them.example': 'mx:them.example' })
    await s.dispatcher.start()
    await s.clock.advance(5 * HOUR)
    const gaps = s.mx.at.slice(1).map((at, i) => Math.round((at - (s.mx.at[i] ?? 0)) / 1000))
    expect(gaps.slice(0, 6)).toEqual([300, 600, 1200, 2400, 4000, 4000])
    expect(s.mx.jobs.map(job => job.tries).slice(0, 3)).toEqual([0, 1, 2])
  })

  it('is returned with 4.4.7 when its time is up, after a last try', async () => {
    const s = await station()
    s.mx.answer = () => greylisted
    await s.post({ 'bob@them.example': 'mx:them.example' })
    await s.dispatcher.start()
    await s.clock.advance(6 * DAY)
    expect(await s.left()).toBe(0)
    expect(s.events().filter(e => e.startsWith('expired'))).toEqual(['expired bob@them.example'])
    const last = (s.mx.at.at(-1) ?? 0) - (s.mx.at[0] ?? 0)
    expect(last).toBeGreaterThanOrEqual(5 * DAY)
    expect(last).toBeLessThan(5 * DAY + MINUTE)
    const report = s.reports.at(-1)
    expect(report?.text).toMatch(/Action: failed\r\nStatus: 4\.4\.7/)
    expect(report?.text).toMatch(/smtp; 450 4\.7\.1 greylisted/)
  })

  it('expires at its own time when it has one', async () => {
    const s = await station()
    s.mx.answer = () => greylisted
    await s.post({ 'bob@them.example': 'mx:them.example' }, { message: { expires: s.clock.wall() + 8 * MINUTE } })
    await s.dispatcher.start()
    await s.clock.advance(9 * MINUTE)
    expect(s.mx.at.map(at => (at - (s.mx.at[0] ?? 0)) / MINUTE)).toEqual([0, 5, 8])
    expect(await s.left()).toBe(0)
  })

  it('comes back when the peer said, within bounds', async () => {
    const s = await station()
    const reply = { code: 450, enhanced: '4.7.1', lines: ['greylisted, try again in 90 seconds'] }
    s.mx.answer = () => (s.mx.jobs.length === 1 ? { ...greylisted, reply } : relayed)
    await s.post({ 'bob@them.example': 'mx:them.example' })
    await s.dispatcher.start()
    await s.clock.advance(5 * MINUTE)
    expect(s.mx.at.map(at => (at - (s.mx.at[0] ?? 0)) / 1000)).toEqual([0, 90])
  })
  it('does not grow older while an operator holds it', async () => {
    const s = await station()
    s.mx.answer = () => greylisted
    const id = await s.post({ 'bob@them.example': 'mx:them.example' })
    await s.dispatcher.start()
    await s.clock.advance(HOUR)
    const filter = { and: [{ field: 'id', op: '=', value: id }] } as const
    await s.queue.change(filter, { do: 'hold' }, 'ann')
    await s.clock.advance(6 * DAY)
    await s.queue.change(filter, { do: 'release' }, 'ann')
    await s.clock.advance(DAY)
    expect(await s.left()).toBe(1)
    await s.clock.advance(4 * DAY)
    expect(s.events()).toContain('expired bob@them.example')
  })
  it('expires when it was tried before and cannot be tried any more', async () => {
    const s = await station()
    s.mx.answer = () => (s.mx.jobs.length === 1 ? greylisted : { ...greylisted, phase: 'route', notTried: true })
    await s.post({ 'bob@them.example': 'mx:them.example' })
    await s.dispatcher.start()
    await s.clock.advance(6 * DAY)
    expect(s.events().at(-2)).toBe('expired bob@them.example')
    expect(await s.left()).toBe(0)
  })
  it('that was tried does not wait for a policy beyond its time', async () => {
    const patience = { name: 'patience', setup: () => ({ attempt: () => verdict() }) }
    let verdict = (): typeof pass | { wait: number; why: string } => pass
    const s = await station({ plugins: [patience] })
    s.mx.answer = () => greylisted
    await s.post({ 'bob@them.example': 'mx:them.example' })
    await s.dispatcher.start()
    await s.clock.advance(MINUTE)
    verdict = () => ({ wait: 30 * DAY, why: 'not this month' })
    await s.clock.advance(6 * DAY)
    expect(s.events().filter(e => e.startsWith('expired'))).toEqual(['expired bob@them.example'])
    expect(s.mx.jobs).toHaveLength(1)
  })

  it('of unknown end is tried again, since twice is better than never', async () => {
    const s = await station()
    s.mx.answer = () => (s.mx.jobs.length === 1 ? { fate: 'unknown', phase: 'dot', cause: 'connection lost' } : relayed)
    await s.post({ 'bob@them.example': 'mx:them.example' })
    await s.dispatcher.start()
    await s.clock.advance(MINUTE)
    const { rows } = await s.queue.list({ and: [] }, { limit: 10 })
    expect(rows).toMatchObject([{ attempts: 1, why: 'connection lost' }])
    await s.clock.advance(5 * MINUTE)
    expect(s.events()).toEqual(['unknown bob@them.example', 'relayed bob@them.example'])
    expect(await s.left()).toBe(0)
  })

  it('that was not tried is given back and does not count as an attempt', async () => {
    const s = await station()
    s.mx.answer = () => ({ fate: 'deferred', phase: 'route', cause: 'no credentials', notTried: true })
    await s.post({ 'bob@them.example': 'mx:them.example' })
    await s.dispatcher.start()
    await s.clock.advance(6 * DAY)
    const { rows } = await s.queue.list({ and: [] }, { limit: 10 })
    expect(rows).toMatchObject([{ attempts: 0 }])
    expect(s.reports).toEqual([])
  })

  it('for a transport that does not exist stays, untried and unbounced', async () => {
    const s = await station()
    await s.post({ 'bob@them.example': 'pigeon:home', 'c@them.example': 'smtp:nowhere' })
    await s.dispatcher.start()
    await s.clock.advance(6 * DAY)
    const { rows } = await s.queue.list({ and: [] }, { limit: 10 })
    expect(rows.map(row => [row.attempts, row.why])).toEqual([
      [0, 'there is no transport "pigeon"'],
      [0, 'no route for smtp:nowhere'],
    ])
  })
})

describe('an exception', () => {
  it.each([
    ['that the transport rejects with', () => Promise.reject(new Error('boom'))],
    [
      'that the transport throws',
      () => {
        throw new Error('boom')
      },
    ],
  ])('%s becomes a deferral and an event', async (_, answer) => {
    const s = await station()
    s.mx.answer = answer
    await s.post({ 'bob@them.example': 'mx:them.example' })
    await s.dispatcher.start()
    await s.clock.advance(0)
    const { rows } = await s.queue.list({ and: [] }, { limit: 10 })
    expect(rows).toMatchObject([{ attempts: 1, state: 'ready' }])
    expect(s.journal.told.map(e => e.name)).toEqual(['error', 'delivery.deferred'])
    s.mx.answer = () => relayed
    await s.clock.advance(5 * MINUTE)
    expect(await s.left()).toBe(0)
  })
  it('of arithmetic, fewer outcomes than recipients, defers those left over', async () => {
    const s = await station()
    s.mx.answer = () => [relayed]
    await s.post({ 'a@them.example': 'mx:them.example', 'b@them.example': 'mx:them.example' })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(s.events()).toEqual(['relayed a@them.example', 'deferred b@them.example'])
  })
  it.each([['undefined'], ['null'], ['42'], ['[{"fate":"delighted"}]']])(
    'of kind, the outcome %s, defers',
    async json => {
      const s = await station()
      const answer = json === 'undefined' ? undefined : (JSON.parse(json) as unknown)
      s.mx.deliver = () => Promise.resolve(answer as readonly Outcome[])
      await s.post({ 'a@them.example': 'mx:them.example' })
      await s.dispatcher.start()
      await s.clock.advance(0)
      expect(s.events()).toEqual(['deferred a@them.example'])
    },
  )
})

describe('handing over', () => {
  it('delivers fresh mail without claiming it', async () => {
    const s = await station()
    let claims = 0
    const claim = s.queue.claim.bind(s.queue)
    s.queue.claim = o => {
      claims++
      return claim(o)
    }
    await s.dispatcher.start()
    await s.clock.advance(0)
    const before = claims
    expect(s.dispatcher.wants([site('mx:them.example')])).toBe(true)
    for (let i = 0; i < 50; i++) await s.hand({ [`u${i}@them.example`]: 'mx:them.example' })
    await s.clock.advance(0)
    expect(s.mx.jobs).toHaveLength(50)
    expect(await s.left()).toBe(0)
    expect(claims - before).toBeLessThanOrEqual(1)
  })
  it('is not wanted when the memory is full, the site is, or it is paused', async () => {
    const s = await station({ held: 20 })
    s.mx.answer = () => new Promise(() => {})
    for (let i = 0; i < 15; i++) await s.hand({ [`u${i}@them.example`]: 'mx:them.example' })
    await s.clock.advance(0)
    expect(s.mx.running).toBe(5)
    expect(s.dispatcher.wants([site('mx:them.example')])).toBe(false)
    expect(s.dispatcher.wants([site('mx:other.example')])).toBe(true)
    for (let i = 0; i < 5; i++) await s.hand({ [`u${i}@other.example`]: 'mx:other.example' })
    expect(s.dispatcher.wants([site('mx:third.example')])).toBe(false)
    const t = await station()
    await t.dispatcher.pause(site('mx:them.example'), MINUTE, 'test')
    expect(t.dispatcher.wants([site('mx:them.example')])).toBe(false)
    await t.clock.advance(MINUTE)
    expect(t.dispatcher.wants([site('mx:them.example')])).toBe(true)
  })
  it('is not wanted when the messages held are big', async () => {
    const s = await station({ heldBytes: 100 })
    s.mx.answer = () => new Promise(() => {})
    expect(s.dispatcher.wants([site('mx:them.example')])).toBe(true)
    await s.hand({ 'u@them.example': 'mx:them.example' }, { content: `Subject: x\r\n\r\n${'x'.repeat(200)}\r\n` })
    expect(s.dispatcher.wants([site('mx:other.example')])).toBe(false)
  })
})

describe('fairness', () => {
  it('10,000 messages for a dead site do not delay another', async () => {
    const s = await station()
    const dead = Array.from({ length: 100 }, (_, i) => i)
    for (const i of dead) {
      const to = dead.map(j => [`u${j}@dead${i}.example`, 'mx:dead.example'] as const)
      await s.post(Object.fromEntries(to))
    }
    s.mx.answer = job => (job.site === 'mx:dead.example' ? s.clock.sleep(30_000).then(() => unreachable) : relayed)
    await s.post({ 'bob@alive.example': 'mx:alive.example' })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(s.events()).toContain('relayed bob@alive.example')
    for (let i = 0; i < 20; i++) {
      await s.clock.advance(MINUTE)
      const before = s.clock.wall()
      await s.post({ [`bob${i}@alive.example`]: 'mx:alive.example' })
      await s.clock.advance(0)
      expect(s.events()).toContain(`relayed bob${i}@alive.example`)
      expect(s.clock.wall()).toBe(before)
    }
    expect(await s.left()).toBe(10_000)
  })
  it('100,000 messages for a slow site delay no other, fresh mail nor deferred', { timeout: 60_000 }, async () => {
    const s = await station()
    const hundred = Array.from({ length: 100 }, (_, i) => i)
    for (const i of hundred)
      for (let j = 0; j < 10; j++) {
        const to = hundred.map(k => [`u${j * 100 + k}@slow${i}.example`, 'mx:slow.example'] as const)
        await s.post(Object.fromEntries(to))
      }
    s.mx.answer = job => (job.site === 'mx:slow.example' ? s.clock.sleep(600_000).then(() => relayed) : relayed)
    await s.dispatcher.start()
    await s.clock.advance(MINUTE)
    for (let i = 0; i < 50; i++) {
      const at = s.clock.wall()
      await s.post({ [`bob@other${i}.example`]: `mx:other${i}.example` })
      if (s.dispatcher.wants([site(`mx:fresh${i}.example`)]))
        await s.hand({ [`ann@fresh${i}.example`]: `mx:fresh${i}.example` })
      await s.clock.advance(0)
      expect(s.clock.wall()).toBe(at)
      expect(s.events()).toContain(`relayed bob@other${i}.example`)
      expect(s.events()).toContain(`relayed ann@fresh${i}.example`)
      await s.clock.advance(1000)
    }
    expect(s.dispatcher.stats().held).toBeLessThan(300)
  })
  it('gives sites turns when the total is used up', async () => {
    const s = await station({ concurrency: { total: 2, start: 2, perSite: 2 } })
    s.mx.answer = () => s.clock.sleep(1000).then(() => relayed)
    for (let i = 0; i < 20; i++) await s.hand({ [`u${i}@a.example`]: 'mx:a.example' })
    for (let i = 0; i < 2; i++) await s.hand({ [`u${i}@b.example`]: 'mx:b.example' })
    await s.clock.advance(2500)
    expect(s.mx.jobs.slice(0, 6).filter(job => job.site === 'mx:b.example')).toHaveLength(2)
  })
  it('does not let a network that hangs keep mail from local mailboxes', async () => {
    const s = await station({ concurrency: { total: 5 } })
    s.mx.answer = () => new Promise(() => {})
    for (let i = 0; i < 9; i++) await s.hand({ 'x@a.example': `mx:a${i}.example` })
    await s.clock.advance(0)
    expect(s.mx.running).toBe(5)
    await s.hand({ 'bob@us.example': 'local:bob' })
    await s.clock.advance(0)
    expect(s.events()).toEqual(['delivered bob@us.example'])
  })
})

describe('the window', () => {
  it('begins with five, grows with answers to twenty and no further', async () => {
    const s = await station()
    s.mx.answer = () => s.clock.sleep(1000).then(() => relayed)
    for (let i = 0; i < 400; i++) await s.hand({ [`u${i}@them.example`]: 'mx:them.example' })
    await s.clock.advance(0)
    expect(s.mx.running).toBe(5)
    await s.clock.advance(1000)
    expect(s.mx.running).toBe(6)
    await s.clock.advance(40_000)
    expect(s.mx.most).toBe(20)
  })
  it('halves when connections fail, and grows again with answers', async () => {
    const s = await station()
    let fail = 1
    s.mx.answer = () => s.clock.sleep(1000).then(() => (fail-- > 0 ? unreachable : relayed))
    for (let i = 0; i < 60; i++) await s.hand({ [`u${i}@them.example`]: 'mx:them.example' })
    await s.clock.advance(500)
    expect(s.dispatcher.stats().sites[0]).toMatchObject({ window: 5, running: 5 })
    await s.clock.advance(600)
    // One failure to 2, then two answers to 3.
    expect(s.dispatcher.stats().sites[0]?.window).toBe(3)
  })
  it('is shared by sites that egress puts in one lane', async () => {
    const egress = { name: 'lanes', setup: () => ({ egress: () => ({ lane: 'big', concurrency: 3 }) }) }
    const s = await station({ plugins: [egress] })
    s.mx.answer = () => s.clock.sleep(1000).then(() => relayed)
    for (let i = 0; i < 20; i++) await s.hand({ 'x@a.example': `mx:a${i}.example` })
    await s.clock.advance(10_000)
    expect(s.mx.most).toBe(3)
    expect(s.mx.jobs).toHaveLength(20)
  })
  it('keeps to the rate that egress asks for', async () => {
    const egress = { name: 'rate', setup: () => ({ egress: () => ({ perSecond: 2, source: '192.0.2.1' }) }) }
    const s = await station({ plugins: [egress] })
    for (let i = 0; i < 20; i++) await s.hand({ [`u${i}@a.example`]: 'mx:a.example' })
    await s.clock.advance(5000)
    expect(s.mx.jobs.length).toBeGreaterThanOrEqual(10)
    expect(s.mx.jobs.length).toBeLessThanOrEqual(11)
    expect(s.mx.jobs[0]?.egress).toEqual({ source: '192.0.2.1' })
    await s.clock.advance(5000)
    expect(s.mx.jobs).toHaveLength(20)
  })
  it('asks egress once a minute, with the exchanges, and sends nothing while it fails', async () => {
    const asked: unknown[] = []
    let broken = false
    const egress = {
      name: 'rate',
      setup: () => ({
        egress: (input: unknown) => {
          asked.push(input)
          if (broken) throw new Error('no')
          return undefined
        },
      }),
    }
    const s = await station({ plugins: [egress], reach: async domain => ({ mx: [`mx.${domain}`], tls: 'may' }) })
    await s.dispatcher.start()
    for (let i = 0; i < 20; i++) await s.hand({ [`u${i}@a.example`]: 'mx:a.example' })
    await s.clock.advance(0)
    expect(asked).toEqual([{ site: 'mx:a.example', mx: ['mx.a.example'] }])
    broken = true
    await s.clock.advance(MINUTE)
    await s.hand({ 'late@a.example': 'mx:a.example' })
    await s.clock.advance(0)
    expect(asked).toHaveLength(2)
    expect(s.mx.jobs).toHaveLength(20)
    broken = false
    await s.clock.advance(5 * MINUTE)
    expect(s.mx.jobs).toHaveLength(21)
  })
})

describe('a dead site', () => {
  it('is left alone after one failed cohort, for longer each time, and its mail is given back untried', async () => {
    const s = await station()
    s.mx.answer = () => unreachable
    for (let i = 0; i < 30; i++) await s.post({ [`u${i}@dead.example`]: 'mx:dead.example' })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(s.mx.jobs).toHaveLength(5)
    const first = s.mx.jobs.length
    await s.clock.advance(4 * MINUTE)
    expect(s.mx.jobs).toHaveLength(first)
    await s.clock.advance(2 * MINUTE)
    const second = s.mx.jobs.length
    expect(second - first).toBe(1)
    await s.clock.advance(8 * MINUTE)
    expect(s.mx.jobs).toHaveLength(second)
    const untried = (await s.queue.list({ and: [] }, { limit: 100 })).rows.filter(row => row.attempts === 0)
    expect(untried.length).toBeGreaterThanOrEqual(19)
    expect(untried[0]?.why).toMatch(/does not answer: connection refused/)
  })
  it('that comes back gets all its mail', async () => {
    const s = await station()
    s.mx.answer = () => unreachable
    for (let i = 0; i < 300; i++) await s.post({ [`u${i}@dead.example`]: 'mx:dead.example' })
    await s.dispatcher.start()
    await s.clock.advance(20 * MINUTE)
    s.mx.answer = () => relayed
    await s.clock.advance(2 * HOUR)
    expect(await s.left()).toBe(0)
    expect(s.reports).toEqual([])
  })
  it('never has a message bounced that was not tried once', async () => {
    const s = await station()
    s.mx.answer = () => unreachable
    for (let i = 0; i < 200; i++) await s.post({ [`u${i}@dead.example`]: 'mx:dead.example' })
    await s.dispatcher.start()
    await s.clock.advance(9 * DAY)
    expect(await s.left()).toBe(0)
    const tried = new Set(s.mx.jobs.flatMap(job => job.recipients.map(r => r.to.wire)))
    const bounced = s.events().flatMap(e => (e.startsWith('expired ') ? [e.slice('expired '.length)] : []))
    expect(bounced).toHaveLength(200)
    expect(new Set(bounced)).toEqual(tried)
  })
  it('is not what a site is whose messages are deferred one by one', async () => {
    const s = await station()
    s.mx.answer = () => greylisted
    for (let i = 0; i < 30; i++) await s.post({ [`u${i}@them.example`]: 'mx:them.example' })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(s.mx.jobs).toHaveLength(30)
  })
  it('is so by itself: a message for it that comes in meanwhile waits in the queue', async () => {
    const s = await station()
    s.mx.answer = () => unreachable
    for (let i = 0; i < 5; i++) await s.hand({ [`u${i}@dead.example`]: 'mx:dead.example' })
    await s.clock.advance(0)
    expect(s.dispatcher.wants([site('mx:dead.example')])).toBe(false)
  })
})

describe('batches', () => {
  it('go to a transport that takes them, at most 64 jobs each', async () => {
    const s = await station()
    const batches: number[] = []
    const local = new Scripted(s.clock, () => s.clock.sleep(10).then(() => delivered))
    const many = {
      deliver: local.deliver.bind(local),
      deliverAll: async (jobs: readonly Job[]) => {
        batches.push(jobs.length)
        await s.clock.sleep(10)
        return jobs.map(job => job.recipients.map(() => delivered))
      },
    }
    const t = await station({ queue: s.queue, clock: s.clock, transports: { local: many } })
    for (let i = 0; i < 100; i++) await t.hand({ 'bob@us.example': 'local:bob' })
    await t.clock.advance(100)
    expect(batches.reduce((a, b) => a + b)).toBeGreaterThan(96)
    expect(Math.max(...batches)).toBe(64)
    expect(await t.left()).toBe(0)
  })
  it('begin beside one that runs only when they are full', async () => {
    const batches: number[] = []
    let end = (): void => {}
    const first = new Promise<void>(resolve => (end = resolve))
    const many = {
      deliver: () => first.then(() => [delivered]),
      deliverAll: async (jobs: readonly Job[]) => {
        batches.push(jobs.length)
        await first
        return jobs.map(() => [delivered])
      },
    }
    const s = await station({ transports: { local: many } })
    const hand = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await s.hand({ 'bob@us.example': 'local:bob' })
      await s.clock.advance(0)
    }
    await hand(1)
    await hand(63)
    expect(s.dispatcher.stats().running).toBe(1)
    await hand(1)
    expect(s.dispatcher.stats().running).toBe(2)
    expect(batches).toEqual([64])
    end()
    await s.clock.advance(0)
    expect(await s.left()).toBe(0)
  })
  it('that fail whole defer every job of theirs', async () => {
    const many = {
      deliver: () => Promise.reject(new Error('no')),
      deliverAll: () => Promise.reject(new Error('no')),
    }
    const s = await station({ transports: { local: many } })
    for (let i = 0; i < 4; i++) await s.hand({ 'bob@us.example': 'local:bob' })
    await s.clock.advance(0)
    expect(s.events()).toEqual(Array.from({ length: 4 }, () => 'deferred bob@us.example'))
    expect(await s.left()).toBe(4)
  })
})

it('a refusal is final at the first word', async () => {
  const s = await station()
  s.mx.answer = () => refused
  await s.post({ 'bob@them.example': 'mx:them.example' })
  await s.dispatcher.start()
  await s.clock.advance(DAY)
  expect(s.mx.jobs).toHaveLength(1)
  expect(s.events()).toEqual(['bounced bob@them.example', 'delivered a@us.example'])
})
