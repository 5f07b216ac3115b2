import { memoryQueue } from '@posthorn/queue'
import { faultyQueue, manualClock, seededRandom } from '@posthorn/testkit'
import { expect, it } from 'vitest'
import type { ManualClock } from '@posthorn/testkit'
import type { Claim, Queue } from '@posthorn/contracts'
import { DAY, greylisted, MINUTE, refused, relayed, station } from '../test/station.ts'
import type { Station } from '../test/station.ts'

const told = (s: Station, ...names: readonly string[]): readonly string[] =>
  s.journal.told.map(({ name }) => name as string).filter(name => names.includes(name))
/** A queue in memory that is not quite what it seems. */
const over = (wrap: (queue: Queue) => Queue): { readonly clock: ManualClock; readonly queue: Queue } => {
  const clock = manualClock()
  return { clock, queue: wrap(memoryQueue({ clock, random: seededRandom(1) })) }
}
const outcomes = ['delivery.relayed', 'delivery.bounced', 'delivery.deferred', 'message.received']

it('nothing is told of an attempt before its end is on stable storage', async () => {
  const seen: string[] = []
  const s = await station({
    ...over(queue => faultyQueue(queue, [{ call: 'settle', at: 1, times: 3 }])),
    plugins: [{ name: 'watch', setup: () => ({ settled: outcome => void seen.push(outcome.fate) }) }],
  })
  await s.post({ 'bob@them.example': 'mx:them.example' })
  await s.dispatcher.start()
  await s.clock.advance(1000)
  expect(s.mx.jobs).toHaveLength(1)
  expect([told(s, ...outcomes), seen]).toEqual([[], []])
  await s.clock.advance(MINUTE)
  expect([told(s, ...outcomes), seen]).toEqual([['delivery.relayed'], ['relayed']])
})

it('an end that came too late for its lease is told as that, not as a delivery', async () => {
  const s = await station(over(queue => ({ ...queue, settle: async batch => batch.map(() => 'stale' as const) })))
  await s.post({ 'bob@them.example': 'mx:them.example' })
  await s.dispatcher.start()
  await s.clock.advance(1000)
  expect(told(s, ...outcomes)).toEqual([])
  expect(s.journal.told.at(-1)).toMatchObject({
    name: 'error',
    fields: { where: 'settle', rcpt: 'bob@them.example', cause: expect.stringContaining('relayed') as string },
  })
})

it('a report is a message that is received, with what it is about', async () => {
  const s = await station()
  s.mx.answer = () => refused
  const id = await s.post({ 'bob@them.example': 'mx:them.example', 'eve@them.example': 'mx:them.example' })
  await s.dispatcher.start()
  await s.clock.advance(0)
  const received = s.journal.told.filter(({ name }) => name === 'message.received')
  expect(received).toMatchObject([{ fields: { origin: 'bounce', sender: '', recipients: 1, about: id } }])
  expect(told(s, ...outcomes)[0]).toBe('delivery.bounced')
})

it('a failure whose report cannot be made is told as what it is: deferred', async () => {
  const s = await station({ prepareReport: () => Promise.reject(new Error('no route to the sender')) })
  s.mx.answer = () => refused
  await s.post({ 'bob@them.example': 'mx:them.example' })
  await s.dispatcher.start()
  await s.clock.advance(0)
  expect(told(s, ...outcomes)).toEqual(['delivery.deferred'])
})

it('what an operator wants returned is returned at once, with the reason, and never tried', async () => {
  const s = await station()
  s.mx.answer = () => greylisted
  const id = await s.post({ 'bob@them.example': 'mx:them.example', 'eve@other.example': 'mx:other.example' })
  await s.dispatcher.start()
  await s.clock.advance(0)
  const tries = s.mx.jobs.length
  expect(await s.queue.change({ and: [] }, { do: 'bounce', why: 'this domain has moved' }, 'ann')).toBe(2)
  await s.clock.advance(0)
  expect(s.mx.jobs).toHaveLength(tries)
  expect(s.reports.map(r => r.about)).toEqual([id])
  expect(s.reports[0]?.text.match(/Final-Recipient: .*/g)).toHaveLength(2)
  expect(s.reports[0]?.text).toContain('this domain has moved')
  const bounced = s.journal.told.filter(({ name }) => name === 'delivery.bounced')
  expect(bounced).toHaveLength(2)
  for (const rcpt of ['bob@them.example', 'eve@other.example'])
    expect(bounced.find(({ fields }) => fields['rcpt'] === rcpt)?.fields).toMatchObject({ reported: true, attempt: 1 })
  expect((await s.queue.show(id))?.queued).toEqual([])
})

it('of what is returned the null sender hears nothing, and the event says so', async () => {
  const s = await station()
  s.mx.answer = () => greylisted
  await s.post({ 'bob@them.example': 'mx:them.example' }, { from: null })
  await s.queue.change({ and: [] }, { do: 'bounce' }, 'ann')
  await s.dispatcher.start()
  await s.clock.advance(DAY)
  expect([s.reports, s.mx.jobs]).toEqual([[], []])
  expect(s.journal.told.find(({ name }) => name === 'delivery.bounced')?.fields['reported']).toBe(false)
})

it('what waits for a suspended site is given back and tried when it is resumed', async () => {
  const s = await station({ concurrency: { start: 1, perSite: 1 } })
  s.mx.answer = () => s.clock.sleep(1000).then(() => relayed)
  await s.dispatcher.start()
  const site = 'mx:t.example' as Claim['site']
  for (let i = 0; i < 3; i++) await s.hand({ [`u${i}@t.example`]: site })
  await s.clock.advance(10)
  await s.queue.suspend({ site }, 'ann')
  s.dispatcher.giveBack(site, 'suspended')
  await s.clock.advance(DAY)
  expect(s.mx.jobs).toHaveLength(1)
  await s.queue.resume({ site }, 'ann')
  await s.clock.advance(MINUTE)
  expect(s.mx.jobs).toHaveLength(3)
})
