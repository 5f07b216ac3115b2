import type { Claim, Owner, SiteKey } from '@posthorn/contracts'
import { holds, same } from './check.ts'
import type { ContractCase, QueueUnderTest } from './queue-contract.ts'
import { claimSample, enqueueSample, sampleMessage, sampleOwner, sampleRecipient } from './sample-message.ts'

const other = 'owner-2' as Owner

const put = async (
  t: QueueUnderTest,
  rcpt: string,
  o: { readonly due?: number; readonly priority?: number } = {},
): Promise<void> => {
  const { due, priority } = o
  const recipients = [sampleRecipient(rcpt, due === undefined ? {} : { due })]
  await enqueueSample(t.queue, sampleMessage({ recipients, ...(priority !== undefined && { priority }) }))
}
const rcpts = (claims: readonly Claim[]): readonly string[] => claims.map(c => c.to.to.wire)

/** Leases and their order. */
export const queueClaimCases: readonly ContractCase<QueueUnderTest>[] = [
  {
    name: 'a delivery is leased to one owner at a time',
    run: async t => {
      await put(t, 'bob@there.test')
      const all = await Promise.all([claimSample(t.queue), claimSample(t.queue, { owner: other })])
      same(all.flat().length, 1)
    },
  },
  {
    name: 'a lease that ran out goes to the next, and the first may settle nothing then',
    run: async t => {
      await put(t, 'bob@there.test')
      const [first] = await claimSample(t.queue, { leaseMs: 1000 })
      await t.advance(999)
      same(await claimSample(t.queue, { owner: other }), [])
      await t.advance(2)
      const [second] = await claimSample(t.queue, { owner: other })
      holds(first !== undefined && second !== undefined && second.token > first.token, 'the token grew')
      if (first === undefined || second === undefined) return
      same(await t.queue.renew([first], 1000), [])
      same(await t.queue.settle([{ lease: first, fate: { to: 'delivered' } }]), ['stale'])
      same(await t.queue.settle([{ lease: second, fate: { to: 'delivered' } }]), ['ok'])
    },
  },
  {
    name: 'a renewed lease holds longer',
    run: async t => {
      await put(t, 'bob@there.test')
      const claims = await claimSample(t.queue, { leaseMs: 1000 })
      await t.advance(900)
      same(
        (await t.queue.renew(claims, 1000)).map(l => l.delivery),
        claims.map(c => c.delivery),
      )
      await t.advance(900)
      same(await claimSample(t.queue, { owner: other }), [])
    },
  },
  {
    name: 'what is due later waits, and nextDue says until when',
    run: async t => {
      same(await t.queue.nextDue(), undefined)
      const due = t.wall() + 60_000
      await put(t, 'bob@there.test', { due })
      same(await claimSample(t.queue), [])
      same(await t.queue.nextDue(), due)
      await t.advance(60_000)
      same(rcpts(await claimSample(t.queue)), ['bob@there.test'])
    },
  },
  {
    name: 'nextDue knows the end of a lease',
    run: async t => {
      await put(t, 'bob@there.test')
      await claimSample(t.queue, { leaseMs: 5000 })
      same(await t.queue.nextDue(), t.wall() + 5000)
    },
  },
  {
    name: 'within a site the smaller priority goes first, then the longer due',
    run: async t => {
      await put(t, 'late@there.test', { priority: 5 })
      await put(t, 'second@there.test')
      await t.advance(10)
      await put(t, 'third@there.test')
      await put(t, 'first@there.test', { priority: -5 })
      const order = rcpts(await claimSample(t.queue, { perSite: 3 }))
      same(order, ['first@there.test', 'second@there.test', 'third@there.test'])
      same(rcpts(await claimSample(t.queue)), ['late@there.test'])
    },
  },
  {
    name: 'within a site haste starves nothing: what has been due longest goes with every claim',
    run: async t => {
      await put(t, 'patient@there.test', { priority: 5 })
      await t.advance(10)
      for (let i = 0; i < 20; i++) await put(t, `hasty${i}@there.test`, { priority: -5 })
      const order = rcpts(await claimSample(t.queue, { perSite: 8 }))
      same(order, [...Array.from({ length: 7 }, (_, i) => `hasty${i}@there.test`), 'patient@there.test'])
      same(rcpts(await claimSample(t.queue, { perSite: 16 })).length, 13)
    },
  },
  {
    name: 'a site with hundreds of messages does not hide the others',
    run: async t => {
      await Promise.all(Array.from({ length: 300 }, (_, i) => put(t, `u${i}@slow.test`)))
      await t.advance(1)
      await put(t, 'bob@one.test')
      await put(t, 'bob@two.test')
      const seen = new Set<string>()
      for (let i = 0; i < 3; i++) for (const c of await claimSample(t.queue, { sites: 1, perSite: 5 })) seen.add(c.site)
      same([...seen].sort(), ['mx:one.test', 'mx:slow.test', 'mx:two.test'])
    },
  },
  {
    name: 'the site that has been due longest is served first',
    run: async t => {
      await put(t, 'bob@second.test', { due: t.wall() - 1000 })
      await put(t, 'bob@first.test', { due: t.wall() - 2000 })
      same(rcpts(await claimSample(t.queue, { sites: 1 })), ['bob@first.test'])
      same(rcpts(await claimSample(t.queue, { sites: 1 })), ['bob@second.test'])
    },
  },
  {
    name: 'a claim keeps to its numbers of sites and of deliveries a site',
    run: async t => {
      for (const site of ['a', 'b', 'c']) for (let i = 0; i < 4; i++) await put(t, `u${i}@${site}.test`)
      const claims = await claimSample(t.queue, { sites: 2, perSite: 3 })
      same(claims.length, 6)
      same(new Set(claims.map(c => c.site)).size, 2)
      same((await claimSample(t.queue)).length, 6)
    },
  },
  {
    name: 'sites to skip are skipped',
    run: async t => {
      await put(t, 'bob@full.test')
      await put(t, 'bob@free.test')
      same(rcpts(await claimSample(t.queue, { skip: new Set(['mx:full.test' as SiteKey]) })), ['bob@free.test'])
      same(rcpts(await claimSample(t.queue)), ['bob@full.test'])
    },
  },
  {
    name: 'nothing of a paused site is claimed before the end of the pause, new mail included',
    run: async t => {
      const site = 'mx:there.test' as SiteKey
      await put(t, 'old@there.test')
      await t.queue.pause(site, t.wall() + 10_000, '4.7.1')
      await put(t, 'new@there.test')
      const draft = t.queue.begin()
      same(await draft.commit(sampleMessage(), { owner: sampleOwner, leaseMs: 1000 }), [], 'what a fresh commit leases')
      same(await claimSample(t.queue), [])
      same(await t.queue.nextDue(), t.wall() + 10_000)
      const { rows } = await t.queue.list({ and: [] }, { limit: 9 })
      const shown = rows[0] && (await t.queue.show(rows[0].id))?.queued
      for (const row of [...rows, ...(shown ?? [])])
        same(row.waits, { why: '4.7.1', until: t.wall() + 10_000 }, 'what an operator sees')
      await t.advance(10_000)
      same((await t.queue.list({ and: [] }, { limit: 1 })).rows[0]?.waits, undefined)
      same((await claimSample(t.queue)).length, 3)
    },
  },
  {
    name: 'a pause that is taken back ends at once',
    run: async t => {
      await put(t, 'bob@there.test')
      await t.queue.pause('mx:there.test' as SiteKey, t.wall() + 10_000, 'wait')
      await t.queue.pause('mx:there.test' as SiteKey, t.wall(), 'go on')
      same((await claimSample(t.queue)).length, 1)
    },
  },
  {
    name: 'the leases of an owner that is gone are freed at once, and its tokens are worth nothing',
    run: async t => {
      await put(t, 'bob@one.test')
      await put(t, 'bob@two.test')
      const [gone] = await claimSample(t.queue, { sites: 1 })
      const [stays] = await claimSample(t.queue, { owner: other, sites: 1 })
      same(await t.queue.disown({ owner: sampleOwner }), 1)
      same(gone && (await t.queue.settle([{ lease: gone, fate: { to: 'delivered' } }])), ['stale'])
      same(
        (await claimSample(t.queue)).map(c => c.id),
        [gone?.id],
      )
      same(await t.queue.disown({ except: other }), 1)
      same(stays && (await t.queue.settle([{ lease: stays, fate: { to: 'delivered' } }])), ['ok'])
    },
  },
  {
    name: 'a released delivery was not tried, and comes back when it is said to',
    run: async t => {
      await put(t, 'bob@there.test')
      const claims = await claimSample(t.queue)
      await t.queue.release(claims, t.wall() + 1000, 'no room')
      same(await claimSample(t.queue), [])
      await t.advance(1000)
      same(
        (await claimSample(t.queue)).map(c => c.attempts),
        [0],
      )
    },
  },
  {
    name: 'who sleeps is woken by new mail, by a release and by an operator, until it unsubscribes',
    run: async t => {
      let calls = 0
      const woken = async (act: () => Promise<unknown>): Promise<boolean> => {
        const before = calls
        await act()
        await Promise.resolve()
        return calls > before
      }
      const stop = t.queue.onWake(() => {
        calls++
      })
      holds(await woken(() => put(t, 'bob@there.test')), 'a commit wakes')
      const claims = await claimSample(t.queue)
      holds(await woken(() => t.queue.release(claims, t.wall(), 'back')), 'a release wakes')
      await t.queue.change({ and: [] }, { do: 'hold' }, 'test')
      holds(await woken(() => t.queue.change({ and: [] }, { do: 'release' }, 'test')), 'an operator wakes')
      await t.queue.nextDue()
      await claimSample(t.queue)
      same(await t.queue.nextDue(), t.wall() + 60_000)
      holds(await woken(() => put(t, 'eve@there.test', { due: t.wall() + 1000 })), 'an earlier due time wakes')
      stop()
      holds(!(await woken(() => put(t, 'joe@there.test'))), 'nobody is woken after unsubscribing')
    },
  },
]
