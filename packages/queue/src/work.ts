import type { Attempt, QueueId } from '@posthorn/contracts'
import { formatId } from '@posthorn/queue-base'
import type { Changed } from '@posthorn/queue-base'
import type { DeliveryRow } from './row.ts'
import type { Statements } from './statements.ts'

/** What one group has done so far, beside its rows; thrown away when the group is rolled back. */
export interface Batch {
  /** Wall time in ms. */
  readonly now: number
  readonly mono: number
  readonly contents: readonly Uint8Array[]
  /** Sites that got something ready, with its earliest time; written to `site` once. */
  readonly touched: Map<string, number>
  wake: number
  readonly unlink: QueueId[]
  readonly corrupt: { readonly id: QueueId; readonly why: string }[]
  /** What operators' changes did, for the journal. */
  readonly changed: Changed[]
  readonly out: Uint8Array[]
  /** Messages whose last delivery ended, whose rows stay for `show`. */
  departed: number
}

/** What operators have stopped. */
export interface Stopped {
  readonly sites: Set<string>
  /** In lower case, each with the reason its mail is held for. */
  readonly senders: Map<string, string>
}

/** The store's statements and the little that it remembers between groups. */
export interface Work {
  readonly s: Statements
  readonly batch: Batch
  /** Sites nothing may be claimed of, with the end of that (wall time in ms). */
  readonly paused: Map<string, number>
  readonly stopped: Stopped
  readonly counters: { seq: number; turn: number; cursor: number }
}

/** A delivery of that site is ready from `due` on. */
export const touch = ({ batch, paused, stopped }: Work, site: string, due: number): void => {
  if (stopped.sites.has(site)) return
  const at = Math.max(due, paused.get(site) ?? 0)
  const known = batch.touched.get(site)
  if (known === undefined || at < known) batch.touched.set(site, at)
  if (at < batch.wake) batch.wake = at
}

/** One statement a site and group, not one a message. */
export const writeTouched = ({ s, batch }: Work): void => {
  for (const [site, at] of batch.touched) s.touchSite.run(site, at)
  batch.touched.clear()
}

/** A row of the message's history, in the transaction of what it tells. */
export const record = (
  { s, batch, counters }: Work,
  message: number,
  event: string,
  o: { readonly rcpt?: string; readonly attempt?: Attempt | undefined; readonly detail?: string },
): void => {
  s.history.run(
    ++counters.seq,
    message,
    batch.now,
    event,
    o.rcpt ?? null,
    o.attempt === undefined ? null : JSON.stringify(o.attempt),
    o.detail ?? null,
  )
}

export const rcptOf = (row: { readonly local: string; readonly domain: string }): string => `${row.local}@${row.domain}`

/** A delivery is over; with the last one the content goes, and the message's row stays as history. */
export const endDelivery = ({ s, batch }: Work, message: number): void => {
  const left = s.endDelivery.get(batch.now, message) as
    { readonly pending: number; readonly spooled: number; readonly nonce: number } | undefined
  if (left === undefined || left.pending > 0) return
  s.deleteBody.run(message)
  if (left.spooled > 0) batch.unlink.push(formatId(message, left.nonce))
  batch.departed++
}

/** May be claimed again from `due` on. */
export const makeReady = (
  work: Work,
  row: Pick<DeliveryRow, 'id' | 'site'>,
  o: { readonly due: number; readonly doubt: number; readonly why: string | null },
): void => {
  const due = Math.ceil(o.due)
  work.s.ready.run(due, o.doubt, o.why, work.batch.now, row.id)
  work.s.waits.run(row.id)
  touch(work, row.site, due)
}

/** Waits for an operator or a policy. */
export const hold = (work: Work, delivery: number, why: string): void => {
  work.s.hold.run(work.batch.now, why, delivery)
  work.s.waits.run(delivery)
}

/** What is damaged waits for an operator instead of stopping the others. */
export const setAside = (work: Work, row: DeliveryRow, why: string): void => {
  hold(work, row.id, why)
  const nonce = work.s.message.get(row.message)?.['nonce'] ?? 0
  work.batch.corrupt.push({ id: formatId(row.message, nonce as number), why })
  record(work, row.message, 'corrupt', { rcpt: rcptOf(row), detail: why })
}
