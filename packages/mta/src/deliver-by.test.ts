import type { DeliverBy, NewRecipient, Notify, Outcome } from '@posthorn/contracts'
import { describe, expect, it } from 'vitest'
import { mailbox } from '../test/ask.ts'
import { DAY, delivered, greylisted, HOUR, MINUTE, relayed, station, unreachable } from '../test/station.ts'
import type { Posting, Station } from '../test/station.ts'

const takenOver: Outcome = { ...relayed, deliverByTakenOver: true, dsnTakenOver: true }

/** So long after now. */
const by = (s: Station, ms: number, mode: DeliverBy['mode'], trace = false): Posting => ({
  envelope: { deliverBy: { at: s.clock.wall() + ms, mode, trace } },
})
const actions = (s: Station): readonly string[] =>
  s.reports.map(({ text }) => `${/Action: (\w+)/.exec(text)?.[1]} ${/Status: (\S+)/.exec(text)?.[1]}`)
/** Attempts at what is not a report. */
const tried = (s: Station): number =>
  [...s.mx.jobs, ...s.local.jobs].filter(({ envelope }) => envelope.origin !== 'bounce').length
const bob = { 'bob@them.example': 'mx:them.example' }
const ann = { 'ann@us.example': 'local:ann' }

describe('mode R: a message that is to come back unless it is delivered in time (RFC 2852 §4.1)', () => {
  it.each([
    ['abroad', bob],
    ['here', ann],
  ])('is not tried once its time is over, not even for the first time: %s', async (_, to) => {
    const s = await station()
    await s.post(to, by(s, MINUTE, 'return'))
    await s.clock.advance(MINUTE)
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect([tried(s), await s.left()]).toEqual([0, 0])
    expect(actions(s)).toEqual(['failed 5.4.7'])
    expect(s.reports[0]?.text).toMatch(/^Deliver-By-Date: /m)
    expect(s.events()[0]).toBe(`expired ${Object.keys(to)[0]}`)
  })
  it('is delivered in time without a word', async () => {
    const s = await station()
    await s.post(ann, by(s, MINUTE, 'return', true))
    await s.clock.advance(MINUTE - 1)
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect([s.events(), s.reports]).toEqual([['delivered ann@us.example'], []])
  })
  it('is tried again until then, and comes back then, not a whole pause later', async () => {
    const s = await station()
    s.mx.answer = () => greylisted
    await s.post(bob, by(s, 12 * MINUTE, 'return'))
    await s.dispatcher.start()
    await s.clock.advance(12 * MINUTE - 1)
    expect([s.mx.jobs.length, s.reports]).toEqual([2, []])
    await s.clock.advance(1)
    expect([s.mx.jobs.length, actions(s)]).toEqual([2, ['failed 5.4.7']])
  })
  it('is not delivered when its time ends during the attempt, and comes back', async () => {
    const s = await station()
    const asked: boolean[] = []
    s.local.answer = async job => {
      if (job.envelope.origin === 'bounce') return delivered
      asked.push(job.stillOurs())
      s.clock.setWall(s.clock.wall() + MINUTE)
      asked.push(job.stillOurs())
      return { fate: 'deferred', phase: 'local', cause: 'no longer ours to send', notTried: true }
    }
    await s.post(ann, by(s, MINUTE, 'return'))
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(asked).toEqual([true, false])
    expect([actions(s), s.events()]).toEqual([
      ['failed 5.4.7'],
      ['deferred ann@us.example', 'expired ann@us.example', 'delivered a@us.example'],
    ])
  })
  it('comes back after five days, however long it may take', async () => {
    const s = await station()
    s.mx.answer = () => greylisted
    await s.post(bob, by(s, 300 * DAY, 'return'))
    await s.dispatcher.start()
    await s.clock.advance(5 * DAY + 2 * HOUR)
    expect(actions(s).filter(action => action.startsWith('failed'))).toEqual(['failed 4.4.7'])
  })
  it('comes back when the pause of a receiver that did not answer is over, without another try', async () => {
    const s = await station()
    s.mx.answer = () => unreachable
    for (let i = 0; i < 5; i++) await s.post({ [`b${i}@them.example`]: 'mx:them.example' }, by(s, MINUTE, 'return'))
    await s.dispatcher.start()
    await s.clock.advance(0)
    const tried = s.mx.jobs.length
    await s.clock.advance(10 * MINUTE)
    expect(s.mx.jobs).toHaveLength(tried)
    expect(actions(s)).toEqual(Array.from({ length: 5 }, () => 'failed 5.4.7'))
    expect(await s.left()).toBe(0)
  })
  it('comes back at its time when a policy has it wait for longer', async () => {
    const s = await station({
      plugins: [{ name: 'wait', setup: () => ({ attempt: () => ({ wait: DAY, why: 'not today' }) }) }],
    })
    await s.post(bob, by(s, HOUR, 'return'))
    await s.dispatcher.start()
    await s.clock.advance(HOUR)
    expect([s.mx.jobs, actions(s)]).toEqual([[], ['failed 5.4.7']])
  })
  it('from the null sender it ends with an event', async () => {
    const s = await station()
    await s.post(bob, { ...by(s, 0, 'return'), from: null })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect([s.events(), s.reports, await s.left()]).toEqual([['expired bob@them.example'], [], 0])
  })
})

describe('mode N: a message whose sender is to be told when it is late (RFC 2852 §4.1)', () => {
  it.each([
    ['abroad', bob, relayed],
    ['here', ann, delivered],
  ])('goes on: its sender is told once, as soon as the time is over: %s', async (_, to, done) => {
    const s = await station()
    s.mx.answer = () => greylisted
    s.local.answer = () => ({ ...greylisted, phase: 'local' })
    await s.post(to, { ...by(s, 12 * MINUTE, 'notify'), each: { notify: ['delay'] } })
    await s.dispatcher.start()
    await s.clock.advance(12 * MINUTE - 1)
    expect(actions(s)).toEqual([])
    await s.clock.advance(1)
    expect(actions(s)).toEqual(['delayed 4.7.1'])
    expect(s.reports[0]?.text).toMatch(/^Deliver-By-Date: Thu, 01 Jan 2026 00:12:00 \+0000\r$/m)
    await s.clock.advance(3 * HOUR)
    expect(actions(s)).toHaveLength(1)
    s.mx.answer = s.local.answer = () => ({ ...done, deliverByTakenOver: true })
    await s.clock.advance(2 * HOUR)
    expect(s.events().at(-1)).toMatch(/^(delivered|relayed) /)
    expect(await s.left()).toBe(0)
  })
  it('is late after four hours as any other, also when its sender was told before', async () => {
    const s = await station()
    s.mx.answer = () => greylisted
    await s.post(bob, by(s, 10 * MINUTE, 'notify'))
    await s.post({ 'eve@them.example': 'mx:them.example' }, by(s, 5 * HOUR, 'notify'))
    await s.dispatcher.start()
    await s.clock.advance(3 * HOUR)
    expect(actions(s)).toHaveLength(1)
    await s.clock.advance(7 * HOUR)
    expect(actions(s)).toEqual(Array.from({ length: 4 }, () => 'delayed 4.7.1'))
  })
  it.each<[string, Notify | undefined, number]>([
    ['said that it wants to hear of nothing', 'never', 10 * MINUTE],
    ['wants to hear of failures only', ['failure'], 10 * MINUTE],
    ['was told where it came from', undefined, -MINUTE],
    ['was told where it came from, at the very end', undefined, 0],
  ])('its sender is not told who %s', async (_, notify, ms) => {
    const s = await station()
    s.mx.answer = () => greylisted
    await s.post(bob, { ...by(s, ms, 'notify'), each: notify === undefined ? {} : { notify } })
    await s.dispatcher.start()
    await s.clock.advance(3 * HOUR)
    expect(s.reports).toEqual([])
    expect(await s.left()).toBe(1)
  })
  it('goes on when the report cannot be made', async () => {
    let asked = 0
    const s = await station({
      prepareReport: async () => {
        asked++
        throw new Error('a plugin failed')
      },
    })
    await s.post(ann, by(s, MINUTE, 'notify'))
    await s.clock.advance(HOUR)
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect([asked, s.events()]).toEqual([1, ['deferred ann@us.example', 'delivered ann@us.example']])
  })
  it('that was long late before it was tried: its sender hears first, and those who asked for it only', async () => {
    const s = await station()
    s.mx.answer = () => takenOver
    const draft = by(s, MINUTE, 'notify')
    await s.post(bob, draft)
    await s.post({ 'eve@them.example': 'mx:them.example' }, { ...draft, each: { notify: 'never' } })
    await s.clock.advance(HOUR)
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(actions(s)).toEqual(['delayed 4.4.7'])
    expect(s.reports[0]?.text).toContain('the time by which it was to be delivered is over')
    expect(s.events().filter(event => event.includes('bob'))).toEqual([
      'deferred bob@them.example',
      'delayed bob@them.example',
      'relayed bob@them.example',
    ])
    expect(s.mx.jobs.find(job => job.recipients[0]?.to.local === 'bob')?.warned).toBe(s.clock.wall())
    expect(await s.left()).toBe(0)
  })
  it('for two of whom one asked not to be told goes to both, once', async () => {
    const s = await station()
    const to = [bob, { 'eve@them.example': 'mx:them.example' }].flatMap(Object.entries)
    const id = s.queue.begin()
    await id.end()
    await id.commit({
      envelope: {
        returnPath: mailbox('a@us.example'),
        origin: 'mx',
        smtputf8: false,
        body: '7bit',
        requireTls: false,
        ...by(s, MINUTE, 'notify').envelope,
      },
      recipients: to.map(([rcpt, key], i) => ({
        to: mailbox(rcpt),
        site: key as NewRecipient['site'],
        ...(i === 0 ? {} : { notify: 'never' as const }),
      })),
    })
    await s.clock.advance(HOUR)
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(actions(s).toSorted()).toEqual(['delayed 4.4.7', 'relayed 2.0.0'])
    expect(s.mx.jobs.flatMap(job => job.recipients.map(r => r.to.local)).toSorted()).toEqual(['bob', 'eve'])
    expect(await s.left()).toBe(0)
  })
  it('is tried before its sender hears when it is hardly late', async () => {
    const s = await station()
    await s.post(ann, by(s, MINUTE, 'notify'))
    await s.clock.advance(MINUTE + 1000)
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(s.events()).toEqual(['delivered ann@us.example'])
  })
})

describe('a relay (RFC 2852 §4.1.4)', () => {
  /** The actions that a sender hears of. */
  const heard = async (mode: DeliverBy['mode'], trace: boolean, outcome: Outcome, each: Partial<NewRecipient>) => {
    const s = await station()
    s.mx.answer = () => outcome
    await s.post(bob, { ...by(s, HOUR, mode, trace), each })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(await s.left()).toBe(0)
    return actions(s).map(action => action.replace(/ .*/, ''))
  }
  it.each<[DeliverBy['mode'], boolean, string, Outcome, Notify | undefined, readonly string[]]>([
    ['notify', false, 'by who looks at the time', takenOver, undefined, []],
    ['notify', false, 'by who does not', relayed, undefined, ['relayed']],
    ['notify', false, 'by who does not, but reports', { ...relayed, dsnTakenOver: true }, undefined, ['relayed']],
    ['notify', false, 'by who does not', relayed, ['failure'], ['relayed']],
    ['notify', false, 'by who does not', relayed, 'never', []],
    ['notify', true, 'by who looks at the time', takenOver, undefined, ['relayed']],
    ['notify', true, 'by who looks at the time', takenOver, ['delay'], ['relayed']],
    ['notify', true, 'by who looks at the time', takenOver, 'never', []],
    ['return', false, 'by who looks at the time', takenOver, undefined, []],
    ['return', true, 'by who looks at the time', takenOver, ['success'], ['relayed']],
    ['return', true, 'by who looks at the time', takenOver, 'never', []],
    ['return', true, 'to the mailbox', delivered, undefined, []],
    ['notify', true, 'to the mailbox', delivered, ['success'], ['delivered']],
  ])('in mode %s, trace %j, %s: %j, NOTIFY %j → %j', async (mode, trace, _, outcome, notify, expected) => {
    expect(await heard(mode, trace, outcome, notify === undefined ? {} : { notify })).toEqual(expected)
  })
  it('of a list is no business of the author’s', async () => {
    const each = { returnPath: mailbox('owner@us.example') }
    expect(await heard('notify', true, relayed, each)).toEqual([])
  })
  it('from the null sender is reported to nobody', async () => {
    const s = await station()
    await s.post(bob, { ...by(s, HOUR, 'notify', true), from: null })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect([s.events(), s.reports]).toEqual([['relayed bob@them.example'], []])
  })
  it('says whether the next hop goes on to report', async () => {
    for (const [outcome, words] of [
      [takenOver, 'which may report further'],
      [relayed, 'You may hear no more of it'],
    ] as const) {
      const s = await station()
      s.mx.answer = () => outcome
      await s.post(bob, by(s, HOUR, 'notify', true))
      await s.dispatcher.start()
      await s.clock.advance(0)
      expect(s.reports[0]?.text).toContain(words)
    }
  })
})

it('the members of a list have all the time there is', async () => {
  const s = await station()
  await s.post(bob, { ...by(s, 0, 'return'), each: { returnPath: mailbox('owner@us.example') } })
  await s.dispatcher.start()
  await s.clock.advance(0)
  expect(s.events()).toEqual(['relayed bob@them.example'])
})

it('a transport is told when the sender was told of a delay, only where a time was given', async () => {
  const s = await station()
  s.mx.answer = () => greylisted
  await s.post(bob, by(s, 10 * MINUTE, 'notify'))
  await s.post({ 'eve@them.example': 'mx:them.example' })
  await s.dispatcher.start()
  await s.clock.advance(6 * HOUR)
  const toBob = s.mx.jobs.filter(job => job.recipients[0]?.to.local === 'bob')
  expect(toBob[0]).not.toHaveProperty('warned')
  expect(toBob.at(-1)?.warned).toBeGreaterThan(0)
  for (const job of s.mx.jobs.filter(({ recipients }) => recipients[0]?.to.local === 'eve'))
    expect(job).not.toHaveProperty('warned')
})
