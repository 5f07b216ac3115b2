import type {
  Attempt,
  DeliveryState,
  Facts,
  Filter,
  FilterField,
  HistoryRow,
  QueueEntry,
  QueueId,
  QueueRow,
  SiteKey,
  Suspension,
} from '@posthorn/contracts'
import type { Body } from '@posthorn/message'
import { bodyOfStored } from './content.ts'
import type { Database } from './database.ts'
import { groupColumn, whereOf } from './filter.ts'
import { envelopeOf, rcptOf, recipientOf } from './row.ts'
import type { DeliveryRow, MessageRow } from './row.ts'
import type { Time } from './time.ts'

/** What operators ask. Rejects with RangeError on a filter that makes no sense. */
export interface Reads {
  list(
    f: Filter,
    o: { readonly after?: string; readonly limit: number },
  ): Promise<{
    readonly rows: readonly QueueRow[]
    readonly after?: string
  }>
  keys(f: Filter, after: number, limit: number): Promise<{ readonly keys: readonly number[]; readonly after?: number }>
  count(f: Filter, by?: FilterField): Promise<ReadonlyMap<string, number>>
  show(id: QueueId): Promise<QueueEntry | undefined>
  open(id: QueueId): Promise<Body | undefined>
  suspensions(): Promise<readonly Suspension[]>
}

type JoinedRow = DeliveryRow &
  Pick<MessageRow, 'sender_local' | 'sender_domain' | 'size' | 'arrived' | 'tags'> & {
    readonly paused_until: number | null
    readonly paused_why: string | null
    readonly suspended_by: string | null
  }

const joined = 'from delivery d join message m on m.id = d.message'
const rowColumns = `d.*, m.sender_local, m.sender_domain, m.size, m.arrived, m.tags,
  (select until from pause where site = d.site) as paused_until, (select why from pause where site = d.site) as paused_why,
  (select actor || coalesce(': ' || why, '') from suspension where kind = 'site' and key = d.site) as suspended_by`

const stateOf = (row: Pick<DeliveryRow, 'state' | 'doubt'>): DeliveryState =>
  row.state === 1 ? 'leased' : row.state === 2 ? 'held' : row.doubt ? 'unknown' : 'ready'

const attemptOf = (json: string | null): Attempt | undefined =>
  json === null ? undefined : (JSON.parse(json) as Attempt)

/** `now` is the database's. */
const waitsOf = (row: JoinedRow, now: number, skew: number): QueueRow['waits'] => {
  if (row.state !== 0) return undefined
  if (row.suspended_by !== null) return { why: `its site is suspended by ${row.suspended_by}` }
  const until = row.paused_until ?? 0
  return until > now ? { why: row.paused_why ?? '', until: until - skew } : undefined
}

const queueRow = (row: JoinedRow, now: number, skew: number): QueueRow => {
  const last = attemptOf(row.last)
  const waits = waitsOf(row, now, skew)
  return {
    id: row.message as QueueId,
    delivery: row.id,
    state: stateOf(row),
    site: row.site as SiteKey,
    sender: row.sender_local === null ? '' : `${row.sender_local}@${row.sender_domain}`,
    rcpt: rcptOf(row),
    size: row.size,
    arrived: row.arrived - skew,
    due: row.due - skew,
    attempts: row.attempts,
    priority: row.priority,
    tags: row.tags ?? [],
    ...(last !== undefined && { last }),
    ...(row.why !== null && { why: row.why }),
    ...(waits !== undefined && { waits }),
  }
}

interface HistoryColumns {
  readonly at: number
  readonly event: string
  readonly rcpt: string | null
  readonly attempt: string | null
  readonly detail: string | null
}

const historyRow = (row: HistoryColumns, skew: number): HistoryRow => {
  const attempt = attemptOf(row.attempt)
  return {
    at: row.at - skew,
    event: row.event,
    ...(row.rcpt !== null && { rcpt: row.rcpt }),
    ...(attempt !== undefined && { attempt }),
    ...(row.detail !== null && { detail: row.detail }),
  }
}

/** What is left of a message, as it could be enqueued again. */
const asNew = (row: MessageRow, waiting: readonly DeliveryRow[], skew: number): NonNullable<QueueEntry['message']> => {
  const held = waiting.find(d => d.state === 2)
  return {
    envelope: envelopeOf(row, skew),
    recipients: waiting.map(d => recipientOf(d, skew)),
    ...(row.priority !== 0 && { priority: row.priority }),
    ...(row.expires !== null && { expires: row.expires - skew }),
    ...(row.tags !== null && { tags: row.tags }),
    ...(row.facts !== null && { facts: JSON.parse(row.facts) as Facts }),
    ...(held !== undefined && waiting.every(d => d.state === 2) && { held: held.why ?? 'held' }),
  }
}

const cursor = (after: string | undefined): number => {
  const key = after === undefined ? 0 : Number(after)
  if (!Number.isSafeInteger(key) || key < 0) throw new RangeError(`no such place in the list: ${after}`)
  return key
}

interface Page {
  readonly filter: Filter
  readonly after: number
  readonly limit: number
}

export const createReads = (db: Database, time: Time, now: () => number): Reads => {
  /** In the order of keys; a page that is full says where it ended. */
  const page = async (
    columns: string,
    q: Page,
  ): Promise<{ readonly rows: readonly JoinedRow[]; readonly after?: number }> => {
    const where = whereOf(q.filter, now(), 2)
    const limit = Math.max(1, Math.min(1000, Math.floor(q.limit)))
    const found = await db.read<JoinedRow>(
      `select ${columns} ${joined} where d.id > $1 and (${where.sql}) order by d.id limit $2`,
      [q.after, limit + 1, ...where.values],
    )
    const rows = found.slice(0, limit)
    const last = rows.at(-1)
    return { rows, ...(found.length > limit && last !== undefined && { after: last.id }) }
  }
  const messageRow = async (id: string): Promise<MessageRow | undefined> =>
    (await db.read<MessageRow>('select * from message where id = $1', [id]))[0]

  return {
    list: async (filter, { after, limit }) => {
      const found = await page(rowColumns, { filter, after: cursor(after), limit })
      const rows = found.rows.map(row => queueRow(row, now(), time.skew))
      return { rows, ...(found.after !== undefined && { after: String(found.after) }) }
    },
    keys: async (filter, after, limit) => {
      const found = await page('d.id', { filter, after, limit })
      return { keys: found.rows.map(row => row.id), ...(found.after !== undefined && { after: found.after }) }
    },
    count: async (filter, by) => {
      const where = whereOf(filter, now(), 0)
      const column = by === undefined ? `'all'` : groupColumn(by, now())
      const rows = await db.read<{ value: string; n: number }>(
        `select ${column} as value, count(*) as n ${joined} where ${where.sql} group by 1 order by 2 desc`,
        where.values,
      )
      return new Map(rows.map(row => [row.value, row.n]))
    },
    show: async id => {
      const row = await messageRow(id)
      if (row === undefined) return undefined
      const { skew } = time
      const waiting = await db.read<JoinedRow>(`select ${rowColumns} ${joined} where d.message = $1 order by d.id`, [
        id,
      ])
      const history = await db.read<HistoryColumns>(
        'select * from attempt where message = $1 order by seq limit 10000',
        [id],
      )
      const envelope = envelopeOf(row, skew)
      return {
        id,
        envelope,
        size: row.size,
        arrived: row.arrived - skew,
        ...(row.facts !== null && { facts: JSON.parse(row.facts) as Facts }),
        queued: waiting.map(w => queueRow(w, now(), skew)),
        ...(waiting.length > 0 && { message: asNew(row, waiting, skew) }),
        history: [
          { at: row.arrived - skew, event: 'received', detail: [envelope.origin, ...(row.tags ?? [])].join(' ') },
          ...history.map(h => historyRow(h, skew)),
        ],
      }
    },
    open: async id => {
      const [row] = await db.read<MessageRow>('select * from message where id = $1 and pending > 0', [id])
      return row && bodyOfStored(db, row)
    },
    suspensions: async () => {
      const rows = await db.read<{ kind: string; key: string; at: number; actor: string; why: string | null }>(
        'select kind, key, at, actor, why from suspension order by at, kind, key',
      )
      return rows.map(row => ({
        what: row.kind === 'site' ? { site: row.key as SiteKey } : { sender: row.key },
        at: row.at - time.skew,
        by: row.actor,
        ...(row.why !== null && { why: row.why }),
      }))
    },
  }
}
