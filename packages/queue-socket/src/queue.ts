import type { Claim, Clock, KeyValue, Lease, Queue, QueueId, Settlement } from '@posthorn/contracts'
import { bodyOf } from '@posthorn/message'
import { createDraft, remoteClaim, withBody } from './draft.ts'
import { createKeyValue } from './key-value.ts'
import type { Method, Methods, PlainSettlement } from './protocol.ts'
import type { Answered, Session } from './session.ts'

export interface QueueDeps {
  readonly clock: Clock
  /** The present connection. Throws StoreError when there is none. */
  readonly session: () => Session
  readonly onWake: Queue['onWake']
  readonly close: () => Promise<void>
}

/** Only the two numbers cross the socket, whatever object stands for the lease. */
const leaseOf = ({ delivery, token }: Lease): Lease => ({ delivery, token })

const plainSettlement = ({ report, ...item }: Settlement, octets: Uint8Array[]): PlainSettlement => {
  const plain = { ...item, lease: leaseOf(item.lease) }
  if (report === undefined) return plain
  const { head = new Uint8Array(), ...message } = report.message
  octets.push(head, report.body)
  return {
    ...plain,
    report: { id: report.id, message, head: head.byteLength, body: report.body.byteLength },
  }
}

/** Contents that came along are in memory; the others are read when they are wanted. */
const claimsOf = ({ result, octets }: Answered<'claim'>, session: Session): readonly Claim[] => {
  const contents = new Map<QueueId, Uint8Array>()
  let at = 0
  for (const { id, length } of result.contents) contents.set(id, octets.slice(at, (at += length)))
  return result.claims.map(claim => {
    const content = contents.get(claim.id)
    return content === undefined ? remoteClaim(claim, session) : withBody(claim, bodyOf(content))
  })
}

/** The queue as its users see it, over connections to its owner. */
export const createQueue = (o: QueueDeps): Queue & { keyValue(namespace: string): KeyValue } => {
  const ask = async <M extends Method>(method: M, params: Methods[M][0]): Promise<Methods[M][1]> =>
    (await o.session().ask(method, params)).result

  return {
    begin: (sizeHint = 0, id) => {
      const session = o.session()
      return createDraft(id ?? session.takeId(), { session, sizeHint })
    },
    newId: () => o.session().takeId(),
    claim: async ({ owner, sites, perSite, leaseMs, skip }) => {
      const session = o.session()
      const params = { owner, sites, perSite, leaseMs, skip: skip === undefined ? [] : [...skip] }
      return claimsOf(await session.ask('claim', params), session)
    },
    renew: (leases, leaseMs) => ask('renew', { leases: leases.map(leaseOf), leaseMs }),
    settle: async batch => {
      const octets: Uint8Array[] = []
      const items = batch.map(settlement => plainSettlement(settlement, octets))
      return (await o.session().ask('settle', { items }, octets)).result
    },
    release: async (leases, due, why) => {
      await ask('release', { leases: leases.map(leaseOf), due, why })
    },
    pause: async (site, until, why) => {
      await ask('pause', { site, until, why })
    },
    disown: which => ask('disown', which),
    nextDue: async () => (await ask('nextDue', null)) ?? undefined,
    onWake: o.onWake,
    list: (filter, page) => ask('list', { filter, ...page }),
    count: async (filter, by) => new Map(await ask('count', { filter, ...(by !== undefined && { by }) })),
    show: async id => (await ask('show', { id })) ?? undefined,
    open: async id => {
      const session = o.session()
      const { result: size } = await session.ask('open', { id })
      return size === null ? undefined : { size, open: signal => session.read({ id }, signal) }
    },
    change: (filter, change, actor, { dryRun = false } = {}) => ask('change', { filter, change, actor, dryRun }),
    suspend: (what, actor, { why, dryRun = false } = {}) =>
      ask('suspend', { what, actor, dryRun, ...(why !== undefined && { why }) }),
    resume: async (what, actor, { dryRun = false } = {}) => (await ask('resume', { what, actor, dryRun })) ?? undefined,
    suspensions: () => ask('suspensions', null),
    keyValue: space => createKeyValue(space, params => ask('keyValue', params)),
    close: o.close,
  }
}
