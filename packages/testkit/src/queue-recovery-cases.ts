import type { Filter, Owner, QueueRow } from '@posthorn/contracts'
import { holds, same } from './check.ts'
import type { ContractCase, QueueUnderTest } from './queue-contract.ts'
import { claimSample, enqueueSample, sampleMessage, sampleOwner, sampleRecipient } from './sample-message.ts'

const all: Filter = { and: [] }
const other = 'owner-2' as Owner

const put = (t: QueueUnderTest, ...rcpts: readonly string[]): Promise<unknown> =>
  enqueueSample(t.queue, sampleMessage({ recipients: rcpts.map(rcpt => sampleRecipient(rcpt)) }))

/** All that is due is claimed, and its owner dies with it; says whose it was. */
const die = async (t: QueueUnderTest, owner: Owner = sampleOwner): Promise<readonly string[]> => {
  const claims = await claimSample(t.queue, { owner })
  same(await t.queue.disown({ owner }), claims.length)
  return claims.map(c => c.to.to.wire).toSorted()
}
const dieOften = async (t: QueueUnderTest, times: number): Promise<void> => {
  for (let i = 0; i < times; i++) await die(t)
}
const rows = async (t: QueueUnderTest): Promise<readonly QueueRow[]> => (await t.queue.list(all, { limit: 100 })).rows
const states = async (t: QueueUnderTest): Promise<readonly string[]> => (await rows(t)).map(row => row.state)
const retryAll = (t: QueueUnderTest): Promise<number> => t.queue.change(all, { do: 'retry' }, 'test')

/** What becomes of a message whose owners die with it in hand. */
export const queueRecoveryCases: readonly ContractCase<QueueUnderTest>[] = [
  {
    name: 'a message whose owners die again and again is put off, ever longer, and held at last with its reason',
    run: async t => {
      await put(t, 'bob@there.test')
      await dieOften(t, 4)
      same(await die(t), ['bob@there.test'], 'four times is chance')
      for (const delay of [5_000, 20_000, 80_000]) {
        const [row] = await rows(t)
        same([row?.state, row?.due], ['ready', t.wall() + delay])
        holds(/hung or died \d times: it is tried apart/.test(row?.why ?? ''), `${row?.why} says why it waits`)
        await t.advance(delay - 1)
        same(await die(t), [])
        await t.advance(1)
        same(await die(t), ['bob@there.test'])
      }
      const [row] = await rows(t)
      same(row?.state, 'held')
      holds(/hung or died 8 times/.test(row?.why ?? ''), `${row?.why} says why it is held`)
      const history = (row && (await t.queue.show(row.id))?.history) ?? []
      same(
        history.map(h => h.event).filter(event => event !== 'received'),
        ['interrupted', 'interrupted', 'interrupted', 'held'],
      )
      const told = t.events?.filter(e => e.name.startsWith('delivery.')) ?? []
      if (t.events === undefined) return
      same(
        told.map(e => [e.name, e.fields['rcpt'], e.fields['by']]),
        ['interrupted', 'interrupted', 'interrupted', 'held'].map(event => [
          `delivery.${event}`,
          'bob@there.test',
          'recovery',
        ]),
      )
    },
  },
  {
    name: 'an operator who releases what was held for its interruptions gives it one more try',
    run: async t => {
      await put(t, 'bob@there.test', 'eve@elsewhere.test')
      for (let i = 0; i < 8; i++) {
        await retryAll(t)
        same((await die(t)).length, 2)
      }
      same(await states(t), ['held', 'held'], 'recipients of one message are suspected together')
      same(await t.queue.change(all, { do: 'release' }, 'test'), 2)
      same((await die(t)).length, 2)
      same(await states(t), ['held', 'held'])
      await t.queue.change(all, { do: 'release' }, 'test')
      const claims = await claimSample(t.queue)
      const fate = { to: 'retry', due: t.wall(), why: 'busy' } as const
      await t.queue.settle(claims.map(lease => ({ lease, fate })))
      await dieOften(t, 4)
      same((await claimSample(t.queue)).length, 2, 'what was tried to its end is a suspect no more')
    },
  },
  {
    name: 'suspects come due one after another, and none is held for what happened while another was in hand',
    run: async t => {
      await put(t, 'bob@there.test')
      await put(t, 'eve@there.test')
      for (let i = 0; i < 12; i++) {
        await retryAll(t)
        same((await die(t)).length, 2)
      }
      same(await states(t), ['ready', 'ready'])
      const [first, second] = await rows(t)
      same([first?.due, second?.due], [t.wall() + 5_000, t.wall() + 5_313])
      await t.advance(5_000)
      const [innocent] = await claimSample(t.queue)
      if (innocent === undefined) throw new Error('nothing is due')
      same(await t.queue.settle([{ lease: innocent, fate: { to: 'delivered' } }]), ['ok'])
      for (let i = 0; i < 3; i++) {
        await retryAll(t)
        await put(t, `fresh${i}@there.test`)
        same(await die(t), ['eve@there.test', `fresh${i}@there.test`])
        const [fresh] = await claimSample(t.queue)
        same(fresh?.to.to.wire, `fresh${i}@there.test`, 'what was with it is due at once')
        if (fresh !== undefined) await t.queue.settle([{ lease: fresh, fate: { to: 'delivered' } }])
      }
      same(
        (await rows(t)).map(row => [row.rcpt, row.state]),
        [['eve@there.test', 'held']],
      )
    },
  },
  {
    name: 'an owner that resigns, gives back or settles what it has interrupts nothing; one that lets leases run out does',
    run: async t => {
      await put(t, 'bob@there.test')
      for (let i = 0; i < 4; i++) {
        same((await claimSample(t.queue)).length, 1)
        same(await t.queue.disown({ owner: sampleOwner, resigns: true }), 1)
        const given = await claimSample(t.queue)
        await t.queue.release(given, t.wall(), 'no room')
      }
      for (let i = 0; i < 5; i++) {
        same((await claimSample(t.queue, { leaseMs: 1000 })).length, 1)
        await t.advance(1001)
      }
      same(await claimSample(t.queue, { owner: other }), [])
      same((await rows(t))[0]?.due, t.wall() + 5_000)
    },
  },
  {
    name: 'what an operator wants of a message in hand goes before its being held for its interruptions',
    run: async t => {
      await put(t, 'bob@there.test')
      for (let i = 0; i < 7; i++) {
        await retryAll(t)
        await die(t)
      }
      await retryAll(t)
      await claimSample(t.queue)
      await t.queue.change(all, { do: 'drop' }, 'test')
      await t.queue.disown({ owner: sampleOwner })
      same(await rows(t), [])
    },
  },
]
