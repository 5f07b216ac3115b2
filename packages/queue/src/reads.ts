import type {
  Attempt,
  DeliveryState,
  Facts,
  Filter,
  HistoryRow,
  QueueEntry,
  QueueId,
  QueueRow,
  SiteKey,
} from '@posthorn/contracts'
import { groupColumn, whereOf } from './filter.ts'
import { formatId, parseId } from '@posthorn/queue-base'
import type { Answers, Query } from './operation.ts'
import { envelopeOf, recipientOf, tagsOf } from './row.ts'
import type { DeliveryRow, MessageRow } from './row.ts'
import { createScan, slice } from './scan.ts'
import { state } from './schema.ts'
import type { Database } from './schema.ts'
import { suspensionsSql } from './statements.ts'
import { suspensionOf } from './suspend.ts'

/** Pieces of the table that are looked at for one page: where hardly anything matches, a page is short rather than late. */
const piecesPerPage = 10

/** What operators ask, over a connection of its own. Throws RangeError on a filter that makes no sense. */
export interface Reads {
  answer<Q extends Query>(query: Q): Answers[Q['ask']]
}

const rowColumns = `d.id, d.message, d.state, d.doubt, d.site, d.local, d.domain, d.due, d.attempts, d.priority, d.last, d.why,
  m.nonce, m.sender_local, m.sender_domain, m.size, m.arrived, m.tags`
/** A pause of the site, and its suspension. */
const waitColumns = `(select not_before from site where name = d.site) as paused_until,
  (select why from site where name = d.site) as paused_why,
  (select by || coalesce(': ' || why, '') from suspension where kind = 'site' and name = d.site) as suspended_by`
const joined = `from delivery d join message m on m.id = d.message`

type JoinedRow = DeliveryRow &
  Pick<MessageRow, 'nonce' | 'sender_local' | 'sender_domain' | 'size' | 'arrived' | 'tags'> & {
    readonly paused_until: number | null
    readonly paused_why: string | null
    readonly suspended_by: string | null
  }

const stateOf = (row: Pick<DeliveryRow, 'state' | 'doubt'>): DeliveryState =>
  row.state === 1 ? 'leased' : row.state === 2 ? 'held' : row.doubt === 1 ? 'unknown' : 'ready'

/** Value, deliveries, and the nonce of a message. */
type CountRow = readonly [string | number, number, number]

const parsed = (json: string | null): unknown => {
  try {
    return json === null ? undefined : JSON.parse(json)
  } catch {
    // A damaged row is shown without this part rather than not at all.
    return undefined
  }
}

const waitsOf = (row: JoinedRow, now: number): QueueRow['waits'] => {
  if (row.state !== 0) return undefined
  if (row.suspended_by !== null) return { why: `its site is suspended by ${row.suspended_by}` }
  const until = row.paused_until ?? 0
  return until > now ? { why: row.paused_why ?? '', until } : undefined
}

const queueRow = (row: JoinedRow, now: number): QueueRow => {
  const last = parsed(row.last) as Attempt | undefined
  const waits = waitsOf(row, now)
  return {
    id: formatId(row.message, row.nonce),
    delivery: row.id,
    state: stateOf(row),
    site: row.site as SiteKey,
    sender: row.sender_local === null ? '' : `${row.sender_local}@${row.sender_domain}`,
    rcpt: `${row.local}@${row.domain}`,
    size: row.size,
    arrived: row.arrived,
    due: row.due,
    attempts: row.attempts,
    priority: row.priority,
    tags: (parsed(row.tags) as readonly string[] | undefined) ?? [],
    ...(last !== undefined && { last }),
    ...(row.why !== null && { why: row.why }),
    ...(waits !== undefined && { waits }),
  }
}

const historyRow = (row: Record<string, unknown>): HistoryRow => {
  const attempt = parsed(row['attempt'] as string | null) as Attempt | undefined
  return {
    at: row['at'] as number,
    event: row['event'] as string,
    ...(row['rcpt'] !== null && { rcpt: row['rcpt'] as string }),
    ...(attempt !== undefined && { attempt }),
    ...(row['detail'] !== null && { detail: row['detail'] as string }),
  }
}

/** What is left of a message, as it could be enqueued again. */
const asNew = (row: MessageRow, waiting: readonly DeliveryRow[]): NonNullable<QueueEntry['message']> => {
  const tags = tagsOf(row)
  const held = waiting.find(d => d.state === 2)
  return {
    envelope: envelopeOf(row),
    recipients: waiting.map(recipientOf),
    ...(row.priority !== 0 && { priority: row.priority }),
    ...(row.expires !== null && { expires: row.expires }),
    ...(tags.length > 0 && { tags }),
    ...(row.facts !== null && { facts: JSON.parse(row.facts) as Facts }),
    ...(held !== undefined && waiting.every(d => d.state === 2) && { held: held.why ?? 'held' }),
  }
}

export const createReads = (db: Database): Reads => {
  const message = db.prepare('select * from message where id = ? and nonce = ?')

  const messageRow = (id: QueueId | string): MessageRow | undefined => {
    const key = parseId(id)
    return key && (message.get(key.key, key.nonce) as MessageRow | undefined)
  }
  const scan = createScan(db, messageRow)
  const page = <T>(
    q: { readonly filter: Filter; readonly now: number; readonly after: number; readonly limit: number },
    columns: string,
    map: (row: JoinedRow) => T,
  ): { readonly rows: readonly T[]; readonly after?: number } => {
    const where = whereOf(q.filter, q.now)
    const limit = Math.max(1, Math.min(1000, Math.floor(q.limit)))
    const from = where.joins || /\bm\./.test(columns) ? joined : 'from delivery d'
    const { sql, values, pieces } = scan(q.filter, q.now, q.after)
    const find = db.prepare(`select ${columns} ${from} where ${sql} and (${where.sql}) order by d.id limit ?`)
    const found: JoinedRow[] = []
    const onward = (): number | undefined => {
      let looked = 0
      for (const piece of pieces()) {
        const rows = find.all(...values(piece), ...where.values, limit + 1 - found.length)
        found.push(...(rows as unknown as JoinedRow[]))
        if (found.length > limit) return found[limit - 1]?.id
        if (++looked >= piecesPerPage) return piece.last ? undefined : piece.to
      }
      return undefined
    }
    const after = onward()
    return { rows: found.slice(0, limit).map(map), ...(after !== undefined && { after }) }
  }
  /** Every state has an index of its own, which is read much sooner than the table. */
  const sitesOf = (of: number, add: (rows: readonly CountRow[]) => void): void => {
    const find = db.prepare(
      `select site, count(*), 0 from delivery where state = ${of} and site > ? group by site order by site limit ${slice}`,
    )
    find.setReturnArrays(true)
    for (let after = ''; ;) {
      const rows = find.all(after) as unknown as readonly CountRow[]
      add(rows)
      if (rows.length < slice) return
      after = String(rows.at(-1)?.[0])
    }
  }
  const countMatching = (
    q: Extract<Query, { readonly ask: 'count' }>,
    add: (rows: readonly CountRow[]) => void,
  ): void => {
    const where = whereOf(q.filter, q.now)
    const by = q.by === undefined ? `'all'` : groupColumn(q.by, q.now)
    const nonce = q.by === 'id' ? 'm.nonce' : '0'
    const from = where.joins || /\bm\./.test(by + nonce) ? joined : 'from delivery d'
    const { sql, values, pieces } = scan(q.filter, q.now, 0)
    const find = db.prepare(`select ${by}, count(*), ${nonce} ${from} where ${sql} and (${where.sql}) group by 1`)
    find.setReturnArrays(true)
    for (const piece of pieces()) add(find.all(...values(piece), ...where.values) as unknown as readonly CountRow[])
  }
  const count = (q: Extract<Query, { readonly ask: 'count' }>): Answers['count'] => {
    const sums = new Map<string, number>()
    const add = (rows: readonly CountRow[]): void => {
      for (const [key, n, nonce] of rows) {
        const value = q.by === 'id' ? formatId(key as number, nonce) : String(key)
        sums.set(value, (sums.get(value) ?? 0) + n)
      }
    }
    if (q.by === 'site' && q.filter.and.length === 0) for (const of of Object.values(state)) sitesOf(of, add)
    else countMatching(q, add)
    return [...sums].sort((a, b) => b[1] - a[1])
  }
  const show = (id: QueueId, now: number): QueueEntry | undefined => {
    const row = messageRow(id)
    if (row === undefined) return undefined
    const queued = db.prepare(
      `select ${rowColumns}, ${waitColumns}, d.wire, d.orcpt, d.notify, d.return_path ${joined} where d.id >= ? and d.id < ? and d.message = ? order by d.id`,
    )
    const history = db.prepare(`select * from attempt where message = ? order by seq limit 10000`)
    const envelope = envelopeOf(row)
    const waiting = queued.all(row.first, row.first + row.total, row.id) as unknown as JoinedRow[]
    return {
      id,
      envelope,
      size: row.size,
      arrived: row.arrived,
      ...(row.facts !== null && { facts: JSON.parse(row.facts) as Facts }),
      queued: waiting.map(d => queueRow(d, now)),
      ...(waiting.length > 0 && { message: asNew(row, waiting) }),
      history: [
        { at: row.arrived, event: 'received', detail: [envelope.origin, ...tagsOf(row)].join(' ') },
        ...history.all(row.id).map(historyRow),
      ],
    }
  }
  const open = (id: QueueId): Answers['open'] => {
    const row = messageRow(id)
    const content =
      row &&
      (db.prepare('select content from body where message = ?').get(row.id)?.['content'] as Uint8Array | undefined)
    return row === undefined || content === undefined ? undefined : { content, spooled: row.spooled, size: row.size }
  }
  const keys = (q: Extract<Query, { readonly ask: 'keys' }>): Answers['keys'] => {
    const found = page(q, 'd.id', row => row.id)
    return { keys: found.rows, ...(found.after !== undefined && { after: found.after }) }
  }

  const pendingSpool = db.prepare('select 1 from message where id = ? and nonce = ? and pending > 0 and spooled > 0')
  const spooled = (ids: readonly QueueId[]): Answers['spooled'] =>
    ids.filter(id => {
      const key = parseId(id)
      return key !== undefined && pendingSpool.get(key.key, key.nonce) !== undefined
    })

  return {
    answer: <Q extends Query>(q: Q) => {
      const answers: { readonly [A in Query['ask']]: (q: never) => Answers[A] } = {
        list: (q: Extract<Query, { readonly ask: 'list' }>) =>
          page(q, `${rowColumns}, ${waitColumns}`, row => queueRow(row, q.now)),
        count,
        keys,
        suspensions: () => db.prepare(suspensionsSql).all().map(suspensionOf),
        show: (q: Extract<Query, { readonly ask: 'show' }>) => show(q.id, q.now),
        open: (q: Extract<Query, { readonly ask: 'open' }>) => open(q.id),
        spooled: (q: Extract<Query, { readonly ask: 'spooled' }>) => spooled(q.ids),
      }
      return answers[q.ask](q as never) as Answers[Q['ask']]
    },
  }
}
