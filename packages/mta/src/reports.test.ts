import type { NewRecipient, Notify, Outcome, Settlement } from '@posthorn/contracts'
import { describe, expect, it } from 'vitest'
import { mailbox } from '../test/ask.ts'
import { DAY, delivered, greylisted, HOUR, MINUTE, refused, relayed, station } from '../test/station.ts'
import type { Posting } from '../test/station.ts'

const expandedTo: Outcome = { fate: 'expanded', phase: 'local', cause: 'list' }

/** What a sender hears when a recipient ends like this, as the Action of each report. */
const heard = async (outcome: Outcome, notify: Notify | undefined, p: Posting = {}): Promise<readonly string[]> => {
  const s = await station()
  s.mx.answer = () => outcome
  const each: Partial<NewRecipient> = notify === undefined ? {} : { notify }
  await s.post({ 'bob@them.example': 'mx:them.example' }, { ...p, each })
  await s.dispatcher.start()
  await s.clock.advance(5 * HOUR)
  await s.dispatcher.stop()
  return s.reports.map(report => /Action: (\w+)/.exec(report.text)?.[1] ?? 'none')
}

describe('NOTIFY (RFC 3461 §4.1, §5.2)', () => {
  const takenOver = { ...relayed, dsnTakenOver: true }
  it.each<[string, Notify | undefined, Outcome, readonly string[]]>([
    ['absent', undefined, refused, ['failed']],
    ['absent', undefined, greylisted, ['delayed']],
    ['absent', undefined, delivered, []],
    ['absent', undefined, relayed, []],
    ['NEVER', 'never', refused, []],
    ['NEVER', 'never', greylisted, []],
    ['NEVER', 'never', delivered, []],
    ['FAILURE', ['failure'], refused, ['failed']],
    ['FAILURE', ['failure'], greylisted, []],
    ['FAILURE', ['failure'], delivered, []],
    ['DELAY', ['delay'], refused, []],
    ['DELAY', ['delay'], greylisted, ['delayed']],
    ['SUCCESS', ['success'], refused, []],
    ['SUCCESS', ['success'], greylisted, []],
    ['SUCCESS', ['success'], delivered, ['delivered']],
    ['SUCCESS', ['success'], relayed, ['relayed']],
    ['SUCCESS', ['success'], takenOver, []],
    ['SUCCESS', ['success'], { ...delivered, dsnTakenOver: true }, []],
    ['SUCCESS', ['success'], expandedTo, ['expanded']],
    ['SUCCESS,FAILURE', ['success', 'failure'], refused, ['failed']],
    ['SUCCESS,FAILURE', ['success', 'failure'], delivered, ['delivered']],
    ['FAILURE,DELAY', ['failure', 'delay'], greylisted, ['delayed']],
  ])('%s: %j, %j → %j', async (_, notify, outcome, expected) => {
    expect(await heard(outcome, notify)).toEqual(expected)
  })
  it.each([refused, delivered, greylisted])(
    'row 42: the null sender hears of nothing, whatever NOTIFY says',
    async x => {
      expect(await heard(x, ['success', 'failure', 'delay'], { from: null })).toEqual([])
    },
  )
})

describe('a bounce', () => {
  it('goes to the return path with the original status, the envelope id and the message', async () => {
    const s = await station()
    s.mx.answer = () => refused
    const id = await s.post(
      { 'bob@them.example': 'mx:them.example' },
      { envelope: { envid: 'QQ314159' }, each: { orcpt: 'rfc822;robert@them.example' } },
    )
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(s.reports).toMatchObject([{ about: id, to: { wire: 'a@us.example' } }])
    const text = s.reports[0]?.text ?? ''
    expect(text).toMatch(/Reporting-MTA: dns; mx\.us\.example/)
    expect(text).toMatch(/Original-Envelope-Id: QQ314159/)
    expect(text).toMatch(/Original-Recipient: rfc822; ?robert@them\.example/)
    expect(text).toMatch(/Final-Recipient: rfc822; bob@them\.example/)
    expect(text).toMatch(/Status: 5\.1\.1/)
    expect(text).toMatch(/Subject: hello/)
  })
  it('is enqueued by the settlement of what it reports, in one step', async () => {
    const s = await station()
    s.mx.answer = () => refused
    const batches: (readonly Settlement[])[] = []
    const settle = s.queue.settle.bind(s.queue)
    s.queue.settle = batch => {
      batches.push(batch)
      return settle(batch)
    }
    await s.post({ 'bob@them.example': 'mx:them.example' })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(batches[0]).toMatchObject([{ fate: { to: 'failed' }, report: { message: { recipients: [{}] } } }])
  })
  it('names all recipients of one job that failed together', async () => {
    const s = await station()
    s.mx.answer = () => [refused, relayed, refused]
    await s.post({ 'a@t.example': 'mx:t.example', 'b@t.example': 'mx:t.example', 'c@t.example': 'mx:t.example' })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(s.reports).toHaveLength(1)
    expect(s.reports[0]?.text.match(/Final-Recipient: .*/g)).toEqual([
      'Final-Recipient: rfc822; a@t.example',
      'Final-Recipient: rfc822; c@t.example',
    ])
    expect(await s.left()).toBe(0)
  })
  it('is never bounced: what fails with a null sender ends with an event', async () => {
    const s = await station()
    s.mx.answer = () => refused
    await s.post({ 'bob@them.example': 'mx:them.example' }, { from: null, envelope: { origin: 'bounce' } })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(await s.left()).toBe(0)
    expect(s.reports).toEqual([])
    expect(s.journal.told).toMatchObject([{ name: 'delivery.bounced', fields: { reported: false } }])
  })
  it('goes to the recipient’s own return path where it has one, and to nobody where that is null', async () => {
    const owner = { local: 'owner', domain: 'us.example', wire: 'owner@us.example' } as NonNullable<
      NewRecipient['returnPath']
    >
    const s = await station()
    s.mx.answer = () => refused
    await s.post({ 'bob@them.example': 'mx:them.example' }, { each: { returnPath: owner } })
    await s.post({ 'bob@them.example': 'mx:them.example' }, { each: { returnPath: null } })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(s.reports.map(report => report.to.wire)).toEqual(['owner@us.example'])
  })
  it('goes with the next recipient when the first turns out not to be ours any more', async () => {
    const s = await station()
    s.mx.answer = () => s.clock.sleep(1000).then(() => [refused, refused])
    const [first] = await s.hand({ 'a@t.example': 'mx:t.example', 'b@t.example': 'mx:t.example' })
    // An operator takes it away while it is being attempted.
    if (first !== undefined) await s.queue.settle([{ lease: first, fate: { to: 'dropped', by: 'operator' } }])
    await s.dispatcher.start()
    await s.clock.advance(1000)
    expect(await s.left()).toBe(0)
    const named = s.reports.map(report => report.text.match(/Final-Recipient: .*/g))
    expect(named.at(-1)).toEqual(['Final-Recipient: rfc822; b@t.example'])
    expect(s.events().filter(e => e === 'delivered a@us.example')).toHaveLength(1)
  })
  it('that cannot be made keeps the delivery in the queue', async () => {
    let broken = true
    const s = await station()
    const t = await station({
      queue: s.queue,
      clock: s.clock,
      prepareReport: draft => {
        if (broken) return Promise.reject(new Error('resolve failed'))
        const message = { envelope: envelopeOfBounce, recipients: [] }
        return Promise.resolve({ id: s.queue.newId(), message, body: draft.bytes })
      },
    })
    t.mx.answer = () => refused
    await t.post({ 'bob@them.example': 'mx:them.example' })
    await t.dispatcher.start()
    await t.clock.advance(MINUTE)
    expect(await t.left()).toBe(1)
    expect(t.journal.told.map(e => e.name)).toContain('error')
    broken = false
    await t.clock.advance(5 * MINUTE)
    expect(await t.left()).toBe(0)
  })
  it('of a list goes to its owner without the author’s ENVID and RET (RFC 3461 §5.2.7.1)', async () => {
    const s = await station()
    s.mx.answer = () => refused
    const content = 'Subject: hello\r\n\r\nthe text\r\n'
    const each = { returnPath: mailbox('owner@us.example') }
    await s.post({ 'bob@them.example': 'mx:them.example' }, { content, each, envelope: { envid: 'E1', ret: 'hdrs' } })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(s.reports[0]?.text).not.toContain('E1')
    expect(s.reports[0]?.text).toContain('the text')
  })
  it('asked for as RET=HDRS has the headers only', async () => {
    const s = await station()
    s.mx.answer = () => refused
    const content = 'Subject: hello\r\n\r\nthe secret body\r\n'
    await s.post({ 'x@t.example': 'mx:t.example' }, { content, envelope: { ret: 'hdrs' } })
    await s.post({ 'y@t.example': 'mx:t.example' }, { content, envelope: { ret: 'full' } })
    await s.dispatcher.start()
    await s.clock.advance(0)
    const body = s.reports.map(report => report.text.includes('the secret body'))
    expect(body.filter(Boolean)).toHaveLength(1)
  })
})

const envelopeOfBounce = {
  returnPath: null,
  origin: 'bounce',
  smtputf8: false,
  body: '7bit',
  requireTls: false,
} as const

describe('the warning of a delay', () => {
  it('is given once, after four hours, with the time until when we try', async () => {
    const s = await station()
    s.mx.answer = () => greylisted
    await s.post({ 'bob@them.example': 'mx:them.example' })
    await s.dispatcher.start()
    await s.clock.advance(4 * HOUR - MINUTE)
    expect(s.reports).toEqual([])
    await s.clock.advance(2 * HOUR)
    expect(s.reports).toHaveLength(1)
    expect(s.reports[0]?.text).toMatch(/Action: delayed/)
    expect(s.reports[0]?.text).toMatch(/Will-Retry-Until: Tue, 06 Jan 2026/)
    await s.clock.advance(3 * DAY)
    expect(s.reports).toHaveLength(1)
    expect(s.events()).toContain('delayed bob@them.example')
  })
})

describe('the warning of a delay at several ages', () => {
  it('is given once for each, and to nobody when there are none', async () => {
    for (const warnAfterMs of [[2 * HOUR, 2 * DAY], []]) {
      const s = await station({ warnAfterMs })
      s.mx.answer = () => greylisted
      await s.post({ 'bob@them.example': 'mx:them.example' })
      await s.dispatcher.start()
      await s.clock.advance(4 * DAY)
      expect(s.reports.map(report => /Action: (\w+)/.exec(report.text)?.[1])).toEqual(warnAfterMs.map(() => 'delayed'))
    }
  })
})

describe('a double bounce', () => {
  const doubleBounces = mailbox('postmaster@us.example')
  const bounce = { from: null, envelope: { origin: 'bounce' as const }, each: { notify: 'never' as const } }
  const after = async (o: Parameters<typeof station>[0], p: Posting) => {
    const s = await station(o)
    s.mx.answer = () => refused
    await s.post({ 'forged@them.example': 'mx:them.example' }, p)
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(await s.left()).toBe(0)
    return s
  }
  it('is told to the postmaster where that is wanted', async () => {
    const s = await after({ doubleBounces }, bounce)
    expect(s.reports).toMatchObject([{ to: doubleBounces, isDouble: true }])
    expect(s.journal.told[0]).toMatchObject({ name: 'delivery.bounced', fields: { reported: true } })
  })
  it.each<[string, Parameters<typeof station>[0], Posting]>([
    ['nobody wants it', {}, bounce],
    ['it is one about a double bounce', { doubleBounces }, { ...bounce, message: { tags: ['double-bounce'] } }],
    ['what fails is somebody else’s report', { doubleBounces }, { ...bounce, envelope: { origin: 'mx' } }],
  ])('is dropped with an event when %s', async (_, o, p) => {
    const s = await after(o, p)
    expect(s.reports).toEqual([])
    expect(s.journal.told).toMatchObject([{ name: 'delivery.bounced', fields: { reported: false } }])
  })
  it('that nobody can get ends the delivery, and the event says that nobody was told', async () => {
    const s = await after({ prepareReport: () => Promise.resolve(undefined) }, {})
    expect(s.journal.told).toMatchObject([{ name: 'delivery.bounced', fields: { reported: false } }])
  })
})

describe('row 42: reports of success that a forger asks for', () => {
  it('are bounded for each reader and hour, and failures are not', async () => {
    const s = await station({ successesPerHour: 3 })
    const each = { notify: ['success', 'failure'] as const }
    const flood = async (from: string, site: string): Promise<void> => {
      for (let i = 0; i < 5; i++) await s.post({ [`u${i}@us.example`]: site }, { from, each })
      await s.clock.advance(MINUTE)
    }
    await s.dispatcher.start()
    await flood('victim@them.example', 'local:bob')
    expect(s.reports.map(report => report.to.wire)).toEqual(Array(3).fill('victim@them.example'))
    expect(s.journal.told.filter(e => e.name === 'report.withheld')).toHaveLength(2)
    await flood('VICTIM+x@them.example', 'local:bob')
    expect(s.reports).toHaveLength(3)
    await flood('other@them.example', 'local:bob')
    expect(s.reports).toHaveLength(6)
    s.mx.answer = () => refused
    await flood('victim@them.example', 'mx:them.example')
    expect(s.reports).toHaveLength(11)
    await s.clock.advance(HOUR)
    await flood('victim@them.example', 'local:bob')
    expect(s.reports).toHaveLength(14)
    expect(await s.left()).toBe(0)
  })
  it('bring back little of the header, whatever was sent', async () => {
    const s = await station()
    const content = `${'X-Padding: 0123456789\r\n'.repeat(2_500)}Subject: long\r\n\r\nbody\r\n`
    await s.post({ 'bob@us.example': 'local:bob' }, { content, each: { notify: ['success'] } })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(s.reports[0]?.bytes.length).toBeLessThan(20_000)
  })
})

describe('an address that stands for others (RFC 3461 §5.2.7)', () => {
  it.each([
    ['expanded:alias', 'expanded'],
    ['expanded:list', 'delivered'],
  ])('%s is told of as %s, by no transport of the stack', async (key, action) => {
    const s = await station()
    await s.post({ 'team@us.example': key }, { each: { notify: ['success'] } })
    await s.dispatcher.start()
    await s.clock.advance(0)
    expect(s.reports.map(report => /Action: (\w+)/.exec(report.text)?.[1])).toEqual([action])
    expect(s.events()[0]).toBe(`${action} team@us.example`)
  })
})

it('a failed success report does not repeat the delivery', async () => {
  const s = await station({ prepareReport: () => Promise.reject(new Error('no')) })
  await s.post({ 'bob@us.example': 'local:bob' }, { each: { notify: ['success'] } })
  await s.dispatcher.start()
  await s.clock.advance(DAY)
  expect(s.local.jobs).toHaveLength(1)
  expect(await s.left()).toBe(0)
})
