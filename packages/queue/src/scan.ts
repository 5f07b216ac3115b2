import type { Filter } from '@posthorn/contracts'
import { lookupOf, lowestKey } from './filter.ts'
import type { Lookup } from './filter.ts'
import type { MessageRow } from './row.ts'
import type { Database } from './schema.ts'

/** Deliveries that one statement may look at: a longer read would hold back the checkpoints, and the log would grow. */
export const slice = 10_000

/** The deliveries that a filter may match, in pieces of at most `slice`, by their keys. */
export interface Scan {
  /** To be a condition on `d`, with the values of one piece. */
  readonly sql: string
  readonly values: (piece: Piece) => readonly (string | number)[]
  readonly pieces: () => Iterable<Piece>
}

/** Keys greater than `from` and up to `to`. */
interface Piece {
  readonly from: number
  readonly to: number
  /** Nothing comes behind it. */
  readonly last: boolean
}

interface Way {
  readonly sql: string
  readonly values: readonly string[]
  /** Given the key before a piece, the last key of a full one. */
  readonly end: (from: number) => number | undefined
}

/** How to go through the table; `after` is the key to begin behind. */
export const createScan = (
  db: Database,
  messageRow: (id: string) => MessageRow | undefined,
): ((filter: Filter, now: number, after: number) => Scan) => {
  const sliceEnd = db.prepare(`select id from delivery where id > ? order by id limit 1 offset ${slice - 1}`)
  const whole: Way = {
    sql: 'd.id > ? and d.id <= ?',
    values: [],
    end: from => sliceEnd.get(from)?.['id'] as number | undefined,
  }
  /** What was leased as it came in, and has not waited since, stands in no such index: it is looked at among the leased. */
  const byIndex = ({ column, index, value }: Lookup): Way => {
    const indexed = `from delivery indexed by ${index} where sender is not null and ${column} = lower(?)`
    const end = db.prepare(`select id ${indexed} and id > ? order by id limit 1 offset ${slice - 1}`)
    return {
      sql: `d.id in (select id ${indexed} and id > ? and id <= ?
        union all select id from delivery indexed by delivery_lease where state = 1 and sender is null and id > ? and id <= ?)`,
      values: [value],
      end: from => end.get(value, from)?.['id'] as number | undefined,
    }
  }
  const bounds = (filter: Filter, now: number, after: number): Pick<Piece, 'from' | 'to'> => {
    let [from, to] = [Math.max(after, lowestKey(filter, now) - 1), Number.MAX_SAFE_INTEGER]
    for (const { field, op, value } of filter.and) {
      if (field !== 'id' || op !== '=') continue
      const row = messageRow(value)
      from = Math.max(from, (row?.first ?? 0) - 1)
      to = Math.min(to, row === undefined ? 0 : row.first + row.total - 1)
    }
    return { from, to }
  }

  return (filter, now, after) => {
    const lookup = lookupOf(filter)
    const way = lookup === undefined ? whole : byIndex(lookup)
    const { from: first, to: end } = bounds(filter, now, after)
    return {
      sql: way.sql,
      values: ({ from, to }) => (lookup === undefined ? [from, to] : [lookup.value, from, to, from, to]),
      pieces: function* () {
        for (let from = first; from < end;) {
          const to = Math.min(end, way.end(from) ?? end)
          yield { from, to, last: to === end }
          from = to
        }
      },
    }
  }
}
