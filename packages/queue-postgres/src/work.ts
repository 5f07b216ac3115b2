import type { Attempt } from '@posthorn/contracts'
import type { Changed } from '@posthorn/queue-base'
import type { Sql } from './database.ts'
import { clean } from './row.ts'

/** A transaction, the database's time in it, and what is to be told when it is committed. */
export interface Work {
  readonly sql: Sql
  /** In ms. */
  readonly now: number
  /** The earliest due time that it made ready. */
  wake: number
  readonly changed: Changed[]
  readonly history: HistoryInput[]
  /** Sites that got something ready, with its earliest time. */
  readonly touched: Map<string, number>
  /** Messages that lost deliveries, and how many. */
  readonly ended: Map<string, number>
}

interface HistoryInput {
  readonly message: string
  readonly event: string
  readonly rcpt: string
  readonly attempt: string | null
  readonly detail: string | null
}

export const createWork = (sql: Sql, now: number): Work => ({
  sql,
  now,
  wake: Infinity,
  changed: [],
  history: [],
  touched: new Map(),
  ended: new Map(),
})

/** A delivery of that site is ready from `due` on. */
export const touch = (work: Work, site: string, due: number): void => {
  work.touched.set(site, Math.min(due, work.touched.get(site) ?? Infinity))
  work.wake = Math.min(work.wake, due)
}

export const endDelivery = (work: Work, message: string): void => {
  work.ended.set(message, (work.ended.get(message) ?? 0) + 1)
}

/** A row of the message's history, in the transaction of what it tells. */
export const record = (
  work: Work,
  message: string,
  event: string,
  o: { readonly rcpt: string; readonly attempt?: Attempt | undefined; readonly detail?: string },
): void => {
  work.history.push({
    message,
    event,
    rcpt: clean(o.rcpt),
    attempt: o.attempt === undefined ? null : JSON.stringify(o.attempt),
    detail: o.detail === undefined ? null : clean(o.detail),
  })
}

/** Write what was gathered: marks, ends of messages, history. The last thing before the commit. */
export const writeWork = async (work: Work): Promise<void> => {
  await writeMarks(work)
  await writeEnds(work)
  if (work.history.length === 0) return
  await work.sql.query(
    `insert into attempt(message, at, event, rcpt, attempt, detail)
     select h.message, $2, h.event, h.rcpt, h.attempt, h.detail
     from json_to_recordset($1::json) as h(message text, event text, rcpt text, attempt text, detail text)`,
    [JSON.stringify(work.history), work.now],
    'history',
  )
}

const writeMarks = async ({ sql, touched }: Work): Promise<void> => {
  if (touched.size === 0) return
  const marks = [...touched].map(([site, at]) => ({ site, at }))
  await sql.query(
    'insert into ready(site, at) select site, at from json_to_recordset($1::json) as r(site text, at bigint)',
    [JSON.stringify(marks)],
    'marks',
  )
}

/** Counts down what is pending, in the order of ids so that nobody waits in a circle; with the last delivery the content goes. */
const writeEnds = async ({ sql, ended, now }: Work): Promise<void> => {
  if (ended.size === 0) return
  const counts = [...ended].map(([id, n]) => ({ id, n }))
  await sql.query(
    `with c as materialized (select * from json_to_recordset($1::json) as c(id text, n integer)),
     l as materialized (select m.id, c.n from message m join c on c.id = m.id order by m.id for update of m),
     u as (update message m set pending = m.pending - l.n, gone = case when m.pending <= l.n then $2::bigint end
       from l where l.id = m.id returning m.id, m.pending)
     delete from body using u where body.message = u.id and u.pending <= 0`,
    [JSON.stringify(counts), now],
    'ends',
  )
}

/** New places of deliveries that are no longer leased. */
export interface Freed {
  readonly id: number
  readonly state: number
  readonly site: string
  readonly due: number
  readonly doubt: boolean
  readonly why: string | null
  readonly interrupted: number
}

/** Write deliveries that are ready or held from now on. Time on hold that ends here is added up. */
export const writeFreed = async ({ sql, now }: Work, rows: readonly Freed[]): Promise<void> => {
  if (rows.length === 0) return
  await sql.query(
    `update delivery d set state = f.state, site = f.site, due = f.due, doubt = f.doubt, why = f.why, wish = null,
       interrupted = f.interrupted,
       owner = null, lease_until = null,
       held_ms = d.held_ms + case when d.held_at is null then 0 else greatest(0, $2::bigint - d.held_at) end,
       held_at = case when f.state = 2 then $2::bigint end
     from json_to_recordset($1::json) as f(id bigint, state smallint, site text, due bigint, doubt boolean, why text, interrupted integer)
     where d.id = f.id`,
    [JSON.stringify(rows), now],
    'freed',
  )
}
