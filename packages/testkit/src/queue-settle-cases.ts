import type { Attempt, Claim, Queue } from '@posthorn/contracts'
import { holds, same } from './check.ts'
import type { ContractCase, QueueUnderTest } from './queue-contract.ts'
import { claimSample, enqueueSample, sampleMailbox, sampleMessage, sampleRecipient, textOf } from './sample-message.ts'

const attempt = (t: QueueUnderTest): Attempt => ({
  at: t.wall(),
  phase: 'rcpt',
  remote: 'mx.there.test[192.0.2.1]:25',
  reply: { code: 451, enhanced: '4.7.1', lines: ['Greylisted', 'come back'] },
  cause: 'the host said so',
  ms: 12,
})

const claimOne = async (queue: Queue): Promise<Claim> => {
  const [claim] = await claimSample(queue, { sites: 1, perSite: 1 })
  if (claim === undefined) throw new Error('nothing to claim')
  return claim
}

/** The end of attempts. */
export const queueSettleCases: readonly ContractCase<QueueUnderTest>[] = [
  {
    name: 'a message leaves with its last recipient, and can still be explained',
    run: async t => {
      const recipients = [sampleRecipient('bob@there.test'), sampleRecipient('eve@there.test')]
      const id = await enqueueSample(t.queue, sampleMessage({ recipients, facts: { session: 's1' } }))
      const [bob, eve] = await claimSample(t.queue)
      if (bob === undefined || eve === undefined) throw new Error('nothing to claim')
      await t.queue.settle([{ lease: bob, fate: { to: 'relayed' }, attempt: attempt(t) }])
      same(
        (await t.queue.show(id))?.queued.map(r => r.rcpt),
        ['eve@there.test'],
      )
      holds((await t.queue.open(id)) !== undefined, 'the content is there for the other recipient')
      await t.queue.settle([{ lease: eve, fate: { to: 'failed', why: 'no such user' }, attempt: attempt(t) }])
      const entry = await t.queue.show(id)
      same([entry?.queued, entry?.facts, entry?.envelope.origin], [[], { session: 's1' }, 'mx'])
      same(entry?.history.map(h => [h.event, h.rcpt, h.detail]).slice(1), [
        ['relayed', 'bob@there.test', undefined],
        ['failed', 'eve@there.test', 'no such user'],
      ])
      same([entry?.history[0]?.event, entry?.history[1]?.attempt], ['received', attempt(t)])
      same([await t.queue.open(id), (await t.queue.count({ and: [] })).get('all') ?? 0], [undefined, 0])
    },
  },
  {
    name: 'a retry comes back when due, with one more attempt, and the list shows what was said',
    run: async t => {
      await enqueueSample(t.queue)
      const due = t.wall() + 300_000
      same(
        await t.queue.settle([
          { lease: await claimOne(t.queue), fate: { to: 'retry', due, why: 'greylisted' }, attempt: attempt(t) },
        ]),
        ['ok'],
      )
      same(await claimSample(t.queue), [])
      same(await t.queue.nextDue(), due)
      const [row] = (await t.queue.list({ and: [] }, { limit: 1 })).rows
      same([row?.state, row?.attempts, row?.due, row?.why, row?.last], ['ready', 1, due, 'greylisted', attempt(t)])
      await t.advance(300_000)
      const again = await claimOne(t.queue)
      same([again.attempts, await textOf(again.body)], [1, 'Hello\r\n'])
    },
  },
  {
    name: 'a try that reached nothing does not count',
    run: async t => {
      await enqueueSample(t.queue)
      await t.queue.settle([{ lease: await claimOne(t.queue), fate: { to: 'retry', due: t.wall(), why: 'no room' } }])
      same((await claimOne(t.queue)).attempts, 0)
    },
  },
  {
    name: 'an unknown outcome is marked as such and tried again when due',
    run: async t => {
      await enqueueSample(t.queue)
      const fate = { to: 'unknown', due: t.wall() + 1000, why: 'lost after the final dot' } as const
      await t.queue.settle([{ lease: await claimOne(t.queue), fate, attempt: attempt(t) }])
      same((await t.queue.list({ and: [] }, { limit: 1 })).rows[0]?.state, 'unknown')
      await t.advance(1000)
      same((await claimOne(t.queue)).attempts, 1)
    },
  },
  {
    name: 'a failure and its report are one step',
    run: async t => {
      await enqueueSample(t.queue)
      const lease = await claimOne(t.queue)
      const id = t.queue.newId()
      const message = sampleMessage({
        envelope: { returnPath: null, origin: 'bounce' },
        recipients: [{ ...sampleRecipient('alice@here.test'), to: sampleMailbox('alice@here.test') }],
        head: new TextEncoder().encode('Subject: failed\r\n\r\n'),
      })
      const report = { id, message, body: new TextEncoder().encode('Sorry.\r\n') }
      let woken = 0
      t.queue.onWake(() => woken++)
      same(await t.queue.settle([{ lease, fate: { to: 'failed', why: 'no such user' }, report }]), ['ok'])
      holds(woken > 0, 'the report wakes')
      const bounce = await claimOne(t.queue)
      same(
        [bounce.id, bounce.envelope.origin, bounce.envelope.returnPath, bounce.to.to.wire],
        [id, 'bounce', null, 'alice@here.test'],
      )
      same(await textOf(bounce.body), 'Subject: failed\r\n\r\nSorry.\r\n')
    },
  },
  {
    name: 'a stale lease sends no report',
    run: async t => {
      await enqueueSample(t.queue)
      const lease = await claimOne(t.queue)
      const settle = (): Promise<readonly string[]> => {
        const report = { id: t.queue.newId(), message: sampleMessage(), body: new Uint8Array([65]) }
        return t.queue.settle([{ lease, fate: { to: 'failed', why: 'no' }, report }])
      }
      same(await settle(), ['ok'])
      same(await settle(), ['stale'])
      same((await claimSample(t.queue)).length, 1)
    },
  },
  {
    name: 'that the sender was told of the delay is remembered',
    run: async t => {
      await enqueueSample(t.queue)
      const lease = await claimOne(t.queue)
      same(lease.warned, undefined)
      const warnedAt = t.wall()
      await t.queue.settle([{ lease, fate: { to: 'retry', due: t.wall(), why: 'later' }, warned: true }])
      await t.advance(10)
      same((await claimOne(t.queue)).warned, warnedAt)
    },
  },
  {
    name: 'a delivery that an attempt put on hold waits for an operator',
    run: async t => {
      await enqueueSample(t.queue)
      await t.queue.settle([{ lease: await claimOne(t.queue), fate: { to: 'held', why: 'policy' } }])
      await t.advance(1e9)
      same(await claimSample(t.queue), [])
      same(await t.queue.change({ and: [{ field: 'state', op: '=', value: 'held' }] }, { do: 'release' }, 'op'), 1)
      same(
        (await claimSample(t.queue)).map(c => c.heldMs),
        [1e9],
        'the time on hold, which does not count towards the lifetime',
      )
    },
  },
  {
    name: 'one batch settles each lease on its own',
    run: async t => {
      for (let i = 0; i < 3; i++) await enqueueSample(t.queue)
      const [a, b, c] = await claimSample(t.queue)
      if (a === undefined || b === undefined || c === undefined) throw new Error('nothing to claim')
      const wrong = { delivery: b.delivery, token: b.token + 1 }
      same(
        await t.queue.settle([
          { lease: a, fate: { to: 'delivered' } },
          { lease: wrong, fate: { to: 'delivered' } },
          { lease: c, fate: { to: 'dropped', by: 'discard' } },
        ]),
        ['ok', 'stale', 'ok'],
      )
      same((await t.queue.count({ and: [] }, 'state')).get('leased'), 1)
    },
  },
]
