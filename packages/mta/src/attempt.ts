import type { Mailbox } from '@posthorn/address'
import type { Claim, Journal, Outcome, Route, Transport } from '@posthorn/contracts'
import { isPending } from '@posthorn/plugin'
import type { Chain } from '@posthorn/plugin'
import { isLate } from './deliver-by.ts'
import { contextOfClaim } from './delivery-context.ts'
import type { DeliveryContext } from './delivery-context.ts'
import { asksOutward, courseOf } from './outward.ts'
import { reportsTo } from './owed.ts'
import type { Parcel } from './parcel.ts'
import { mishap, outcomesFor, shipmentOf } from './shipment.ts'
import type { Carriers, Shipment } from './shipment.ts'
import type { Site } from './site.ts'

/** What came of one claim: an outcome, or a policy's wish to wait or to hold, or nothing yet, since it is late. */
export type Ending = {
  readonly parcel: Parcel
  readonly claim: Claim
  /** What the `settled` hook will see, when somebody listens. */
  context?: DeliveryContext
} & (
  | { readonly outcome: Outcome }
  | { readonly wait: number; readonly why: string }
  | { readonly hold: string }
  | { readonly late: true }
)

export interface AttemptOptions extends Carriers {
  readonly chain: Chain
  readonly journal: Journal
}

/** Carries out attempts: asks the outward hooks, makes the jobs and gives them to their transports. */
export class Attempts {
  readonly #o: AttemptOptions
  readonly #asks: boolean
  readonly #observes: boolean

  constructor(o: AttemptOptions) {
    this.#o = o
    this.#asks = asksOutward(o.chain)
    this.#observes = o.chain.has('settled')
  }

  /** Whether several parcels of the site are worth carrying at once. */
  batches(site: Site): boolean {
    const { route } = site
    if (route === undefined) return false
    const name = route.via === 'transport' ? route.name : route.via
    return Object.hasOwn(this.#o.transports, name) && this.#o.transports[name]?.deliverAll !== undefined
  }

  /** One ending for each claim of each parcel. Never rejects: this is the one place where an unknown exception becomes a deferral. */
  async run(site: Site, parcels: readonly Parcel[], signal: AbortSignal): Promise<readonly Ending[]> {
    const endings: Ending[] = []
    const contexts = this.#asks || this.#observes ? new Map<Claim, DeliveryContext>() : undefined
    try {
      const shipments: Shipment[] = []
      for (const parcel of parcels)
        if (this.#isLate(parcel.claims)) for (const claim of parcel.claims) endings.push({ parcel, claim, late: true })
        else if (this.#asks) shipments.push(...(await this.#ask(site, parcel, { signal, endings, contexts })))
        else if (site.route === undefined) endings.push(...noRoute(site, parcel))
        else shipments.push(shipmentOf(this.#o, site, parcel, plainWay(parcel, site.route)))
      for (const [transport, group] of byTransport(shipments, endings))
        await this.#carry(transport, group, { signal, endings })
    } catch (error) {
      this.#failed(error, parcels[0]?.claims[0])
    }
    // Whatever was left without an ending has not got anywhere.
    if (endings.length < parcels.reduce((n, parcel) => n + parcel.claims.length, 0)) addMissing(parcels, endings)
    if (this.#observes) addContexts(endings, contexts, signal)
    return endings
  }

  /** Claims of a parcel are of one message. */
  #isLate(claims: readonly Claim[]): boolean {
    return claims[0]?.envelope.deliverBy !== undefined && isLate(claims, this.#o.clock.wall())
  }

  async #ask(
    site: Site,
    parcel: Parcel,
    run: { signal: AbortSignal; endings: Ending[]; contexts: Map<Claim, DeliveryContext> | undefined },
  ): Promise<readonly Shipment[]> {
    const ways: { claims: Claim[]; route: Route; returnPath: Mailbox | null }[] = []
    for (const claim of parcel.claims) {
      const ctx = contextOfClaim(claim, run.signal)
      run.contexts?.set(claim, ctx)
      const asked = courseOf(this.#o.chain, claim, site, ctx)
      const course = isPending(asked) ? await asked : asked
      if (course.do === 'stop') run.endings.push({ parcel, claim, outcome: course.outcome })
      else if (course.do === 'wait') run.endings.push({ parcel, claim, wait: course.ms, why: course.why })
      else if (course.do === 'hold') run.endings.push({ parcel, claim, hold: course.why })
      else {
        const { route, returnPath } = course
        // Routes that read the same are the same: the site sees to that.
        const way = ways.find(w => w.route === route && w.returnPath?.wire === returnPath?.wire)
        if (way === undefined) ways.push({ claims: [claim], route, returnPath })
        else way.claims.push(claim)
      }
    }
    return ways.map(way => shipmentOf(this.#o, site, parcel, way))
  }

  async #carry(
    transport: Transport,
    group: readonly Shipment[],
    run: { readonly signal: AbortSignal; readonly endings: Ending[] },
  ): Promise<void> {
    if (transport.deliverAll !== undefined && group.length > 1) {
      const jobs = group.map(({ job }) => job)
      const given = await this.#guard(group, () => transport.deliverAll?.(jobs, run.signal))
      group.forEach((shipment, i) => addEndings(shipment, Array.isArray(given) ? given[i] : undefined, run.endings))
      return
    }
    for (const shipment of group) {
      const given = await this.#guard([shipment], () => transport.deliver(shipment.job, run.signal))
      addEndings(shipment, given, run.endings)
    }
  }

  async #guard(group: readonly Shipment[], deliver: () => Promise<unknown> | undefined): Promise<unknown> {
    try {
      return await deliver()
    } catch (error) {
      this.#failed(error, group[0]?.claims[0])
      return undefined
    }
  }

  #failed(error: unknown, claim: Claim | undefined): void {
    const { journal } = this.#o
    const cause = error instanceof Error ? (error.stack ?? error.message) : String(error)
    journal.event('error', { where: 'attempt', cause, id: claim?.id, site: claim?.site }, 'error')
  }
}

/** The context that the other hooks saw, whose slots `settled` may read. */
const addContexts = (
  endings: readonly Ending[],
  contexts: ReadonlyMap<Claim, DeliveryContext> | undefined,
  signal: AbortSignal,
): void => {
  for (const ending of endings)
    if ('outcome' in ending) ending.context = contexts?.get(ending.claim) ?? contextOfClaim(ending.claim, signal)
}

const plainWay = (
  parcel: Parcel,
  route: Route,
): { claims: readonly Claim[]; route: Route; returnPath: Mailbox | null } => ({
  claims: parcel.claims,
  route,
  returnPath: reportsTo(parcel.claims[0] as Claim),
})

const noRoute = (site: Site, parcel: Parcel): readonly Ending[] => {
  const outcome = mishap('route', `no route for ${site.key}`, { notTried: true })
  return parcel.claims.map(claim => ({ parcel, claim, outcome }))
}

const addEndings = (shipment: Shipment, given: unknown, endings: Ending[]): void => {
  const outcomes = outcomesFor(shipment, given)
  shipment.claims.forEach((claim, i) => {
    const outcome = outcomes[i]
    if (outcome !== undefined) endings.push({ parcel: shipment.parcel, claim, outcome })
  })
}

const addMissing = (parcels: readonly Parcel[], endings: Ending[]): void => {
  const ended = new Set(endings.map(ending => ending.claim))
  const outcome = mishap('local', 'the attempt failed inside')
  for (const parcel of parcels)
    for (const claim of parcel.claims) if (!ended.has(claim)) endings.push({ parcel, claim, outcome })
}

/** What goes by the same transport, together; a transport that does not exist ends it here. */
const byTransport = (
  shipments: readonly Shipment[],
  endings: Ending[],
): ReadonlyMap<Transport, readonly Shipment[]> => {
  const groups = new Map<Transport, Shipment[]>()
  for (const shipment of shipments) {
    const { transport } = shipment
    if (transport === undefined) {
      addAbsent(shipment, endings)
      continue
    }
    const group = groups.get(transport)
    if (group === undefined) groups.set(transport, [shipment])
    else group.push(shipment)
  }
  return groups
}

const addAbsent = ({ parcel, claims, job: { route } }: Shipment, endings: Ending[]): void => {
  const name = route.via === 'transport' ? route.name : route.via
  const outcome = mishap('route', `there is no transport ${JSON.stringify(name)}`, { notTried: true })
  for (const claim of claims) endings.push({ parcel, claim, outcome })
}
