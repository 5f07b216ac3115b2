import type { Random } from '@posthorn/contracts'
import type { Ledger } from './ledger.ts'
import type { SimulatedNetwork } from './network.ts'
import type { SimulatedOrganisation } from './organisation.ts'
import { elsewhere } from './scene.ts'
import type { Plan } from './trouble.ts'
import type { World } from './world.ts'

const minute = 60_000

/** Spread the faults of the plan that come by themselves over its time. */
export const planFaults = (o: {
  readonly world: World
  readonly plan: Plan
  readonly random: Random
  readonly network: SimulatedNetwork
  readonly organisations: readonly SimulatedOrganisation[]
  readonly ledger: Ledger
}): void => {
  const { world, plan, random, network, organisations, ledger } = o
  const one = (): SimulatedOrganisation | undefined => organisations[random.int(organisations.length)]
  const often = (count: number, what: () => void): void => {
    for (let n = 0; n < count; n++) world.after(random.next() * plan.periodMs, what)
  }
  const hosts = [...organisations.map(({ nature }) => nature.ip), ...elsewhere.map(({ ip }) => ip)]
  often(plan.crashes, () => one()?.crash(1000 + random.next() * 20 * minute, 'by itself'))
  often(plan.crashes, () => one()?.crashAide(1000 + random.next() * 20 * minute))
  often(plan.restarts, () => void one()?.restart())
  often(plan.freezes, () => one()?.freeze((1 + random.next() * 11) * minute))
  often(plan.jumps, () => one()?.jump((random.next() - 0.4) * 4 * 60 * minute))
  often(plan.fullDisks, () => {
    const organisation = one()
    if (organisation === undefined) return
    organisation.fullUntil = world.now + random.next() * 20 * minute
    world.log(organisation.host, 'has a full disk')
  })
  often(plan.partitions, () => {
    const [a, b] = [random.int(hosts.length), random.int(hosts.length)]
    if (a !== b) network.partition(hosts[a] ?? '', hosts[b] ?? '', random.next() * 40 * minute)
  })
  often(plan.operator, () => void operate(one(), random, { ledger, world }))
}

/**
 * An operator takes one message and drops it, or holds it and lets it go later, or has it tried at once; or stops its site or its sender for a
 * while.
 */
const operate = async (
  organisation: SimulatedOrganisation | undefined,
  random: Random,
  { ledger, world }: { readonly ledger: Ledger; readonly world: World },
): Promise<void> => {
  if (organisation?.up !== true) return
  const { store } = organisation
  const { rows } = await store.list({ and: [] }, { limit: 50 })
  const row = rows[random.int(Math.max(1, rows.length))]
  if (row === undefined) return
  const filter = { and: [{ field: 'id', op: '=', value: row.id }] } as const
  const what = (['drop', 'hold', 'retry', 'stop the site', 'stop the sender'] as const)[random.int(5)] ?? 'retry'
  world.log(organisation.host, `an operator says ${what} of ${row.id}`)
  if (what === 'stop the site' || what === 'stop the sender') {
    const stopped = what === 'stop the site' ? { site: row.site } : { sender: row.sender }
    await store.suspend(stopped, 'olga', { why: 'too much' })
    // A server that is down then goes on at the end of the run.
    world.after(random.next() * 60 * minute, () => void (organisation.up && organisation.store.resume(stopped, 'olga')))
    return
  }
  if (what === 'drop') ledger.dropped.add(row.id)
  await store.change(filter, { do: what }, 'olga')
}
