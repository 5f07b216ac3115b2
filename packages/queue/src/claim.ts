import type { Lease, NewRecipient, Share } from '@posthorn/contracts'
import { faultOf } from './fault.ts'
import { bouncedBy, fallsTo, formatId, isCondemned } from '@posthorn/queue-base'
import type { ClaimedMessage, ClaimOp, RenewOp } from './operation.ts'
import { messageOf, recipientOf } from './row.ts'
import type { DeliveryRow, MessageRow } from './row.ts'
import { earliest, prioritiesOf } from './pause.ts'
import { freeExpired } from './recover.ts'
import { setAside, writeTouched } from './work.ts'
import type { Work } from './work.ts'

/** Content that one claim may bring along; what is left stays due. */
const contentPerClaim = 8 * 1024 * 1024

/** Looks at the spool file of a message; says what is wrong with it. */
export type CheckSpool = (id: string, size: number) => string | undefined

type Claimed = Map<number, { -readonly [k in keyof ClaimedMessage]: ClaimedMessage[k] } & { deliveries: Entry[] }>
type Entry = ClaimedMessage['deliveries'][number]

/** Lease what is due, one site after another; a site that was served goes behind those that wait. */
export const claim = (work: Work, op: ClaimOp, checkSpool: CheckSpool): readonly ClaimedMessage[] => {
  writeTouched(work)
  freeExpired(work)
  const done = new Set(op.skip)
  const claimed: Claimed = new Map()
  const room = { bytes: contentPerClaim }
  let served = 0
  while (served < op.sites && room.bytes > 0) {
    const names = nextSites(work, op.sites - served, name => done.has(name) || !isOurs(name, op.share))
    if (names.length === 0) break
    for (const name of names) {
      if (room.bytes <= 0) break
      done.add(name)
      if (claimSite(work, op, name, { claimed, room, checkSpool }) > 0) served++
    }
  }
  return [...claimed.values()]
}

const nextSites = ({ s, batch }: Work, count: number, not: (name: string) => boolean): readonly string[] => {
  const names: string[] = []
  for (const row of s.dueSites.iterate(batch.now)) {
    const name = row['name'] as string
    if (!not(name)) names.push(name)
    if (names.length >= count) break
  }
  return names
}

const isOurs = (site: string, share: Share | undefined): boolean => share === undefined || fallsTo(site, share)

interface Basket {
  readonly claimed: Claimed
  readonly room: { bytes: number }
  readonly checkSpool: CheckSpool
}

const claimSite = (work: Work, op: ClaimOp, site: string, basket: Basket): number => {
  let count = 0
  for (const row of dueOf(work, site, op.perSite)) {
    if (basket.room.bytes <= 0) break
    const to = unlessDamaged(() => recipientOf(row))
    const into = typeof to === 'string' ? to : (basket.claimed.get(row.message) ?? load(work, row.message, basket))
    if (typeof to === 'string' || typeof into === 'string') {
      setAside(work, row, typeof into === 'string' ? into : 'its row is damaged')
      continue
    }
    into.deliveries.push(lease(work, op, row, to))
    count++
  }
  serve(work, site)
  return count
}

/** Of what one claim takes of a site, one part in so many is for what has been due longest, whatever its priority. */
const partForOldest = 8

/** What is due of a site: by priority, then by time, with room kept for the longest due. */
const dueOf = (work: Work, site: string, most: number): readonly DeliveryRow[] => {
  const { s, batch } = work
  const due = prioritiesOf(work, site).flatMap(
    priority => s.dueOfSite.all(site, priority, batch.now, most) as unknown as DeliveryRow[],
  )
  if (due.length <= most) return due
  const oldest = new Set(due.toSorted((a, b) => a.due - b.due).slice(0, Math.floor(most / partForOldest)))
  let room = most - oldest.size
  return due.filter(row => oldest.has(row) || room-- > 0)
}

const serve = (work: Work, site: string): void => {
  const { s, batch, counters } = work
  const due = earliest(work, site)
  if (due !== undefined) s.serveSite.run(Math.max(due, batch.now), ++counters.turn, site)
  else if (s.deleteSite.run(site, batch.now).changes === 0) s.serveSite.run(null, ++counters.turn, site)
}

const lease = ({ s, batch }: Work, op: ClaimOp, row: DeliveryRow, to: NewRecipient): Entry => {
  s.lease.run(op.owner, Math.ceil(batch.mono + op.leaseMs), row.id)
  return {
    delivery: row.id,
    token: row.token + 1,
    attempts: row.attempts,
    ...(row.warned !== null && { warned: row.warned }),
    ...(row.held_ms > 0 && { heldMs: row.held_ms }),
    ...(isCondemned(row.site) && { bounce: row.why ?? bouncedBy }),
    to,
  }
}

type Loaded = NonNullable<ReturnType<Claimed['get']>>

/** The message with its content, or what is wrong with it. */
const load = (work: Work, key: number, { claimed, room, checkSpool }: Basket): Loaded | string => {
  const { s, batch } = work
  const row = s.message.get(key) as MessageRow | undefined
  if (row === undefined) return 'its message is missing'
  const fault = damage(work, row, checkSpool)
  if (typeof fault === 'string') return fault
  const entry: Loaded = {
    key,
    nonce: row.nonce,
    arrived: row.arrived,
    size: row.size,
    spooled: row.spooled,
    message: fault.message,
    content: batch.out.push(fault.content) - 1,
    deliveries: [],
  }
  room.bytes -= fault.content.byteLength
  claimed.set(key, entry)
  return entry
}

const damage = (
  { s }: Work,
  row: MessageRow,
  checkSpool: CheckSpool,
): string | { readonly content: Uint8Array; readonly message: ClaimedMessage['message'] } =>
  unlessDamaged(() => {
    const content = s.body.get(row.id)?.['content'] as Uint8Array | undefined
    if (content === undefined) return 'its content is missing'
    if (content.byteLength + row.spooled !== row.size)
      return `its content has ${content.byteLength} octets of ${row.size}`
    const fault = row.spooled > 0 ? checkSpool(formatId(row.id, row.nonce), row.spooled) : undefined
    return fault ?? { content, message: messageOf(row) }
  })

/** What is wrong with a row, in words, instead of its value. */
const unlessDamaged = <T>(read: () => T): T | string => {
  try {
    return read()
  } catch (error) {
    if (error instanceof SyntaxError) return `its row is damaged: ${error.message}`
    if (faultOf(error) === 'corrupt') return 'its row cannot be read'
    throw error
  }
}

/** Still ours are those whose token is the present one. */
export const renew = ({ s, batch }: Work, op: RenewOp): readonly Lease[] => {
  const until = Math.ceil(batch.mono + op.leaseMs)
  return op.leases.filter(l => s.renew.run(until, l.delivery, l.token).changes === 1)
}

/** Wall time in ms of what comes first: a site's due time or the end of a lease. */
export const nextDue = (work: Work): number | undefined => {
  const { s, batch } = work
  writeTouched(work)
  const ready = s.nextReady.get()?.['at'] as number | undefined
  const leaseEnd = s.nextLeaseEnd.get()?.['at'] as number | null | undefined
  const end = leaseEnd === null || leaseEnd === undefined ? undefined : batch.now + Math.max(0, leaseEnd - batch.mono)
  if (ready === undefined) return end
  return end === undefined ? ready : Math.min(ready, end)
}
