import type { Lease, Settlement } from '@posthorn/contracts'
import { isCondemned, replyText } from '@posthorn/queue-base'
import type { Wish } from '@posthorn/queue-base'
import { applyChanges, changingColumns } from './change.ts'
import type { Changing } from './change.ts'
import { enqueue } from './enqueue.ts'
import { clean, rcptOf } from './row.ts'
import { state } from './schema.ts'
import type { NewStored } from './stored.ts'
import type { Time } from './time.ts'
import { endDelivery, record, touch, writeFreed } from './work.ts'
import type { Freed, Work } from './work.ts'

type Result = 'ok' | 'stale'
type Ended = { readonly settlement: Settlement; readonly row: Changing }

/** The rows of those leases that still hold, locked in the order of ids so that nobody waits in a circle. */
const leasedRows = async (work: Work, leases: readonly Lease[]): Promise<Map<number, Changing>> => {
  const rows = await work.sql.query<Changing>(
    `select ${changingColumns} from json_to_recordset($1::json) as l(id bigint, token integer)
     join delivery d on d.id = l.id and d.token = l.token where d.state = 1 order by d.id for update of d`,
    [JSON.stringify(leases.map(l => ({ id: l.delivery, token: l.token })))],
    'leased',
  )
  return new Map(rows.map(row => [row.id, row]))
}

/** End attempts; a report is enqueued in the same transaction as the failure it tells. */
export const settle = async (work: Work, batch: readonly Settlement[], time: Time): Promise<readonly Result[]> => {
  const rows = await leasedRows(
    work,
    batch.map(s => s.lease),
  )
  const ended: Ended[] = []
  const results = batch.map((settlement): Result => {
    const row = rows.get(settlement.lease.delivery)
    if (row === undefined) return 'stale'
    // A lease that is named twice ends once.
    rows.delete(row.id)
    ended.push({ settlement, row })
    return 'ok'
  })
  await finish(work, ended)
  await keep(work, ended, time)
  const reports = ended.flatMap(({ settlement }) => reportOf(settlement))
  if (reports.length > 0) {
    const inserted = await enqueue(work.sql.query, reports, { time, again: false })
    for (const row of inserted) if (row.state === state.ready) work.wake = Math.min(work.wake, row.due)
  }
  return results
}

const reportOf = ({ report }: Settlement): readonly NewStored[] => {
  if (report === undefined) return []
  const { head = new Uint8Array(), ...message } = report.message
  return [{ id: report.id, message, content: [head, report.body], spooled: 0 }]
}

const finish = async (work: Work, ended: readonly Ended[]): Promise<void> => {
  const gone: number[] = []
  for (const { settlement, row } of ended) {
    const { fate, attempt } = settlement
    if (fate.to === 'retry' || fate.to === 'unknown' || fate.to === 'held') continue
    const detail = fate.to === 'failed' ? fate.why : fate.to === 'dropped' ? fate.by : undefined
    record(work, row.message, fate.to, { rcpt: rcptOf(row), attempt, ...(detail !== undefined && { detail }) })
    endDelivery(work, row.message)
    gone.push(row.id)
  }
  if (gone.length > 0)
    await work.sql.query('delete from delivery where id = any($1::bigint[])', [gone], 'delete deliveries')
}

const keep = async (work: Work, ended: readonly Ended[], time: Time): Promise<void> => {
  const freed: Freed[] = []
  const tried: object[] = []
  const wishes: { readonly row: Changing; readonly wish: Wish }[] = []
  for (const { settlement, row } of ended) {
    const { fate, attempt, warned } = settlement
    if (fate.to !== 'retry' && fate.to !== 'unknown' && fate.to !== 'held') continue
    const rcpt = rcptOf(row)
    record(work, row.message, fate.to === 'retry' ? 'deferred' : fate.to, { rcpt, attempt, detail: fate.why })
    if (warned === true) record(work, row.message, 'delayed', { rcpt })
    if (attempt !== undefined || warned === true) {
      const reply = replyText(attempt)
      tried.push({
        id: row.id,
        last: attempt === undefined ? null : JSON.stringify(attempt),
        reply: reply === null ? null : clean(reply),
        warned: warned === true,
      })
    }
    const held = fate.to === 'held'
    const to: Freed = {
      id: row.id,
      site: row.site,
      state: held ? state.held : state.ready,
      due: held ? row.due : time.toDatabase(fate.due),
      doubt: held ? row.doubt : fate.to === 'unknown',
      why: isCondemned(row.site) && !held ? row.why : clean(fate.why),
      interrupted: 0,
    }
    freed.push(to)
    if (!held) touch(work, to.site, to.due)
    if (row.wish !== null) wishes.push({ row: { ...row, ...to }, wish: JSON.parse(row.wish) as Wish })
  }
  await writeTries(work, tried)
  await writeFreed(work, freed)
  if (wishes.length > 0) await applyChanges(work, wishes)
}

const writeTries = async ({ sql, now }: Work, tried: readonly object[]): Promise<void> => {
  if (tried.length === 0) return
  await sql.query(
    `update delivery d set attempts = d.attempts + (t.last is not null)::integer, last = coalesce(t.last, d.last),
       reply = case when t.last is null then d.reply else t.reply end,
       warned = case when t.warned then $2::bigint else d.warned end
     from json_to_recordset($1::json) as t(id bigint, last text, reply text, warned boolean) where d.id = t.id`,
    [JSON.stringify(tried), now],
    'tried',
  )
}

/** Leases end without an attempt's outcome; what an operator asked for meanwhile happens now. */
export const freeRows = async (
  work: Work,
  rows: readonly Changing[],
  as: (row: Changing) => Partial<Freed>,
): Promise<void> => {
  const freed = rows.map((row): Freed => {
    const { id, site, due, doubt, interrupted } = row
    const to = { id, state: state.ready, site, due, doubt, why: row.why, interrupted, ...as(row) }
    return isCondemned(site) && to.state === state.ready ? { ...to, why: row.why } : to
  })
  for (const row of freed) if (row.state === state.ready) touch(work, row.site, row.due)
  await writeFreed(work, freed)
  const wishes = rows.flatMap((row, i) =>
    row.wish === null ? [] : [{ row: { ...row, ...freed[i] }, wish: JSON.parse(row.wish) as Wish }],
  )
  if (wishes.length > 0) await applyChanges(work, wishes)
}

/** Give back untried. */
export const release = async (
  work: Work,
  leases: readonly Lease[],
  to: { readonly due: number; readonly why: string },
): Promise<void> => {
  const given = { due: to.due, why: clean(to.why) }
  await freeRows(work, [...(await leasedRows(work, leases)).values()], () => given)
}
