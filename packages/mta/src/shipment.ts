import type { Mailbox } from '@posthorn/address'
import type { Claim, Clock, Job, Outcome, Route, Transport } from '@posthorn/contracts'
import { deadlineOf } from './deliver-by.ts'
import type { Parcel } from './parcel.ts'
import type { Site } from './site.ts'

/** One job with the claims that it is for, in the order of its recipients. */
export interface Shipment {
  readonly parcel: Parcel
  readonly claims: readonly Claim[]
  readonly job: Job
  readonly transport: Transport | undefined
}

/** Everything that shipments of one dispatcher share. */
export interface Carriers {
  readonly transports: Readonly<Record<string, Transport>>
  readonly clock: Clock
}

/** Until the leases end, or the time comes after which it may not be delivered: a receiver may take long to answer. */
const stillOurs = (parcel: Parcel, clock: Clock, deadline: number): (() => boolean) =>
  deadline === Infinity
    ? () => !parcel.lost && clock.monotonic() < parcel.until
    : () => !parcel.lost && clock.monotonic() < parcel.until && clock.wall() < deadline

/** Make the shipment of claims of one parcel that go the same way. */
export const shipmentOf = (
  carriers: Carriers,
  site: Site,
  parcel: Parcel,
  way: { readonly claims: readonly Claim[]; readonly route: Route; readonly returnPath: Mailbox | null },
): Shipment => {
  const first = way.claims[0] as Claim
  const { clock, transports } = carriers
  const name = way.route.via === 'transport' ? way.route.name : way.route.via
  const job: Job = {
    id: first.id,
    site: site.key,
    route: way.route,
    envelope: first.envelope,
    returnPath: way.returnPath,
    recipients: way.claims.map(claim => claim.to),
    body: first.body,
    arrived: first.arrived,
    tries: first.attempts,
    ...(first.envelope.deliverBy === undefined || first.warned === undefined ? undefined : { warned: first.warned }),
    tags: first.tags,
    priority: first.priority,
    ...(site.egress === undefined ? undefined : { egress: site.egress }),
    stillOurs: stillOurs(parcel, clock, deadlineOf(first)),
  }
  return { parcel, claims: way.claims, job, transport: Object.hasOwn(transports, name) ? transports[name] : undefined }
}

/** What becomes of every recipient of a shipment when something of ours went wrong: later, never lost. */
export const mishap = (phase: 'route' | 'local', cause: string, o?: { readonly notTried: true }): Outcome => ({
  fate: 'deferred',
  phase,
  cause,
  status: '4.3.0',
  ...o,
})

/** An outcome for every claim: a transport that gave fewer has its silence taken for a deferral. */
export const outcomesFor = (shipment: Shipment, given: unknown): readonly Outcome[] => {
  const list: readonly unknown[] = Array.isArray(given) ? given : []
  return shipment.claims.map((_, i) => {
    const outcome = list[i]
    return isOutcome(outcome) ? outcome : mishap('local', 'the transport gave no outcome')
  })
}

const fates: ReadonlySet<unknown> = new Set(['delivered', 'relayed', 'expanded', 'deferred', 'failed', 'unknown'])
const isOutcome = (x: unknown): x is Outcome =>
  typeof x === 'object' && x !== null && fates.has((x as { fate?: unknown }).fate)
