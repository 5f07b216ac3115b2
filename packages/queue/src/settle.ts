import { isCondemned, replyText } from '@posthorn/queue-base'
import type { Wish } from '@posthorn/queue-base'
import { enqueue } from './enqueue.ts'
import type { SettleItem, SettleOp } from './operation.ts'
import type { DeliveryRow } from './row.ts'
import { state } from './schema.ts'
import { applyChange } from './change.ts'
import { endDelivery, hold, makeReady, rcptOf, record } from './work.ts'
import type { Work } from './work.ts'

/** End attempts; a report is enqueued in the same transaction as the failure it tells. */
export const settle = (work: Work, op: SettleOp & { base?: number }): readonly ('ok' | 'stale')[] =>
  op.items.map(item => {
    if (!settleOne(work, item)) return 'stale'
    const content = work.batch.contents[(op.base ?? 0) + (item.report?.content ?? 0)]
    if (item.report !== undefined && content !== undefined) enqueue(work, item.report, content)
    return 'ok'
  })

const settleOne = (work: Work, item: SettleItem): boolean => {
  const { fate } = item
  switch (fate.to) {
    case 'delivered':
    case 'relayed':
    case 'expanded':
      return finish(work, item, undefined)
    case 'failed':
      return finish(work, item, fate.why)
    case 'dropped':
      return finish(work, item, fate.by)
    default:
      return keep(work, item, fate)
  }
}

const finish = (work: Work, { lease, fate, attempt }: SettleItem, detail: string | undefined): boolean => {
  const row = work.s.deleteLeased.get(lease.delivery, lease.token) as
    Pick<DeliveryRow, 'message' | 'local' | 'domain'> | undefined
  if (row === undefined) return false
  record(work, row.message, fate.to, { rcpt: rcptOf(row), attempt, ...(detail !== undefined && { detail }) })
  endDelivery(work, row.message)
  return true
}

const keep = (
  work: Work,
  { lease, attempt, warned }: SettleItem,
  fate: Extract<SettleItem['fate'], { readonly why: string; readonly to: 'held' | 'retry' | 'unknown' }>,
): boolean => {
  const { s, batch } = work
  const row = leasedRow(work, lease)
  if (row === undefined) return false
  if (attempt !== undefined) s.attempted.run(JSON.stringify(attempt), replyText(attempt), row.id)
  if (row.interrupted > 0) s.interrupted.run(0, row.id)
  if (warned === true) s.warned.run(batch.now, row.id)
  const event = fate.to === 'retry' ? 'deferred' : fate.to
  record(work, row.message, event, { rcpt: rcptOf(row), attempt, detail: fate.why })
  if (warned === true) record(work, row.message, 'delayed', { rcpt: rcptOf(row) })
  if (fate.to === 'held') hold(work, row.id, fate.why)
  else
    makeReady(work, row, {
      due: fate.due,
      doubt: fate.to === 'unknown' ? 1 : 0,
      why: isCondemned(row.site) ? row.why : fate.why,
    })
  if (row.wish !== null) grantWish(work, row, fate.to === 'held' ? state.held : state.ready)
  return true
}

/** What an operator asked for while the delivery was being attempted happens when the attempt has ended without success. */
const grantWish = (work: Work, row: DeliveryRow, now: number): void => {
  const wish = JSON.parse(row.wish ?? 'null') as Wish | null
  if (wish !== null) applyChange(work, { ...row, state: now }, wish)
}

const leasedRow = (
  { s }: Work,
  lease: { readonly delivery: number; readonly token: number },
): DeliveryRow | undefined => {
  const row = s.delivery.get(lease.delivery) as DeliveryRow | undefined
  return row?.state === state.leased && row.token === lease.token ? row : undefined
}

/** Give back untried. */
export const release = (
  work: Work,
  op: { readonly leases: readonly SettleItem['lease'][]; readonly due: number; readonly why: string },
): void => {
  for (const lease of op.leases) {
    const row = leasedRow(work, lease)
    if (row !== undefined) free(work, row, { due: op.due, why: op.why })
  }
}

/** A lease ends without an attempt's outcome. */
export const free = (work: Work, row: DeliveryRow, o: { readonly due: number; readonly why: string | null }): void => {
  makeReady(work, row, { due: o.due, doubt: row.doubt, why: isCondemned(row.site) ? row.why : o.why })
  if (row.wish !== null) grantWish(work, row, state.ready)
}
