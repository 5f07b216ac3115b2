import type { Claim, Lease, Owner, Queue, SiteKey } from '@posthorn/contracts'
import { holds, same } from './check.ts'
import type { ContractCase } from './queue-contract.ts'
import { claimSample, enqueueSample, sampleMessage, sampleOwner, sampleRecipient } from './sample-message.ts'

/** A queue whose store a test takes away and gives back. */
export interface QueueInOutage {
  readonly queue: Queue
  /** From now on the store does not answer, or refuses. */
  readonly away: () => Promise<void>
  readonly back: () => Promise<void>
}

/** One thing that is asked while the store is away; what `prepare` resolves to does it, also a second time. */
interface Step {
  readonly name: string
  readonly prepare: (queue: Queue) => Promise<() => Promise<unknown>>
}

const all = { and: [] }
const otherOwner = 'owner-elsewhere' as Owner

/** A message of its own for one step, leased before the outage. */
const leased = async (queue: Queue, step: string): Promise<Claim> => {
  const id = await enqueueSample(queue, sampleMessage({ recipients: [sampleRecipient(`bob@${step}.test`)] }))
  for (const claim of await claimSample(queue)) if (claim.id === id) return claim
  throw new Error('it was not claimed')
}
const withLease = (name: string, act: (queue: Queue, lease: Lease) => Promise<unknown>): Step => ({
  name,
  prepare: async queue => {
    const lease = await leased(queue, name)
    return () => act(queue, lease)
  },
})
const plainly = (name: string, act: (queue: Queue) => Promise<unknown>): Step => ({
  name,
  prepare: async queue => () => act(queue),
})

const steps: readonly Step[] = [
  plainly('commit', queue => enqueueSample(queue)),
  plainly('commit-leased', queue => enqueueLeased(queue)),
  plainly('claim', queue => claimSample(queue, { owner: otherOwner })),
  withLease('renew', async (queue, lease) => same((await queue.renew([lease], 60_000)).length, 1)),
  withLease('settle', async (queue, lease) =>
    same(await queue.settle([{ lease, fate: { to: 'retry', due: 4e12, why: 'later' } }]), ['ok']),
  ),
  withLease('deliver', async (queue, lease) =>
    same(await queue.settle([{ lease, fate: { to: 'delivered' } }]), ['ok']),
  ),
  withLease('bounce', async (queue, lease) => {
    const report = { id: queue.newId(), message: sampleMessage(), body: new Uint8Array(100) }
    same(await queue.settle([{ lease, fate: { to: 'failed', why: 'no such user' }, report }]), ['ok'])
  }),
  withLease('release', (queue, lease) => queue.release([lease], 4e12, 'no room')),
  plainly('pause', queue => queue.pause('mx:pause.test' as SiteKey, 4e12, 'dead')),
  plainly('disown', queue => queue.disown({ owner: 'nobody' as Owner })),
  plainly('nextDue', queue => queue.nextDue()),
  plainly('list', queue => queue.list(all, { limit: 10 })),
  plainly('count', queue => queue.count(all)),
  plainly('show', queue => queue.show(queue.newId())),
  plainly('open', queue => queue.open(queue.newId())),
  plainly('change', queue =>
    queue.change({ and: [{ field: 'rcpt', op: '=', value: 'x@y.test' }] }, { do: 'hold' }, 'ann'),
  ),
  plainly('suspend', queue => queue.suspend({ site: 'mx:suspend.test' as SiteKey }, 'ann')),
  plainly('resume', queue => queue.resume({ site: 'mx:resume.test' as SiteKey }, 'ann')),
  plainly('suspensions', queue => queue.suspensions()),
]

const enqueueLeased = async (queue: Queue): Promise<void> => {
  const draft = queue.begin()
  await draft.write(new Uint8Array(100))
  await draft.end()
  try {
    const claims = await draft.commit(sampleMessage(), { owner: sampleOwner, leaseMs: 60_000 })
    same(claims.length, 1)
  } catch (error) {
    await draft.abort()
    throw error
  }
}

/** How a promise ended: as it should in an outage, or in words how else. */
const refusal = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'it was answered',
    (error: unknown) => {
      if (!(error instanceof Error) || error.name !== 'StoreError') return `it threw ${String(error)}`
      return (error as Error & { readonly full?: boolean }).full === false ? 'refused for now' : 'refused as full'
    },
  )

/** What holds when the store goes away and comes back at any step: nothing accepted is lost, nothing refused is there. */
export const queueOutageCases: readonly ContractCase<QueueInOutage>[] = [
  {
    name: 'whatever is asked while the store is away is refused for now, and answered when it is back, with the leases of before',
    run: async ({ queue, away, back }) => {
      const acts: (readonly [string, () => Promise<unknown>])[] = []
      for (const { name, prepare } of steps) acts.push([name, await prepare(queue)])
      await away()
      const ends = await Promise.all(acts.map(async ([name, act]) => `${name}: ${await refusal(act())}`))
      same(
        ends,
        steps.map(({ name }) => `${name}: refused for now`),
      )
      await back()
      for (const [, act] of acts) await act()
    },
  },
  {
    name: 'a message that was refused is not there afterwards, and one that was accepted is there once',
    run: async ({ queue, away, back }) => {
      const kept = new Set<string>([await enqueueSample(queue)])
      for (let round = 0; round < 2; round++) {
        await away()
        const refused = await Promise.allSettled(Array.from({ length: 20 }, () => enqueueSample(queue)))
        same(refused.filter(({ status }) => status === 'fulfilled').length, 0)
        await back()
        kept.add(await enqueueSample(queue))
      }
      const { rows } = await queue.list(all, { limit: 100 })
      same(rows.map(row => row.id).sort(), [...kept].sort())
    },
  },
  {
    name: 'a draft that was begun before the outage is kept when its store is back in time, and gone when it is given up',
    run: async ({ queue, away, back }) => {
      const [stays, goes] = [queue.begin(), queue.begin()]
      for (const draft of [stays, goes]) await draft.write(new Uint8Array(1000))
      await away()
      await goes.abort()
      await back()
      await stays.end()
      await stays.commit(sampleMessage())
      const { rows } = await queue.list(all, { limit: 100 })
      same(
        rows.map(row => row.id),
        [stays.id],
      )
      const body = await queue.open(stays.id)
      holds(body !== undefined && body.size >= 1000, 'its content is whole')
    },
  },
  {
    name: 'dispatchers that claim and settle through one outage after another deliver each message once',
    run: async ({ queue, away, back }) => {
      const ids = new Set<string>()
      for (let i = 0; i < 30; i++)
        ids.add(await enqueueSample(queue, sampleMessage({ recipients: [sampleRecipient(`u${i}@d${i % 5}.test`)] })))
      const delivered: string[] = []
      for (let round = 0; round < 2; round++) {
        const claims = await queue.claim({ owner: sampleOwner, sites: 3, perSite: 3, leaseMs: 600_000 })
        await away()
        const batch = claims.map(lease => ({ lease, fate: { to: 'relayed' } }) as const)
        holds((await refusal(queue.settle(batch))) === 'refused for now', 'the end of the attempts waits')
        await back()
        const results = await queue.settle(batch)
        results.forEach((result, i) => result === 'ok' && delivered.push(claims[i]?.id ?? ''))
      }
      for (;;) {
        const claims = await queue.claim({ owner: sampleOwner, sites: 10, perSite: 10, leaseMs: 600_000 })
        if (claims.length === 0) break
        await queue.settle(claims.map(lease => ({ lease, fate: { to: 'relayed' } }) as const))
        delivered.push(...claims.map(claim => claim.id))
      }
      same(delivered.toSorted(), [...ids].sort())
      same((await queue.list(all, { limit: 1 })).rows.length, 0)
    },
  },
]
