import type { Filter, FilterField } from '@posthorn/contracts'
import { readFilter } from '@posthorn/queue-filter'
import type { Condition } from '@posthorn/queue-filter'
import { escapeLike, likePattern } from '@posthorn/queue-base'
import { clean } from './row.ts'

/** A condition as SQL over `d` (delivery) and `m` (message), its values apart. */
export interface Where {
  readonly sql: string
  readonly values: readonly (string | number)[]
}

const stateName = `case when d.state = 1 then 'leased' when d.state = 2 then 'held' when d.doubt then 'unknown' else 'ready' end`
const tags = `jsonb_array_elements_text(coalesce(m.tags, '[]'::jsonb)) as tag(value)`

const columns = {
  site: 'd.site',
  sender: `coalesce(m.sender_local || '@' || m.sender_domain, '')`,
  rcpt: `(d.local || '@' || d.domain)`,
  domain: 'd.domain',
  user: `coalesce(m.username, '')`,
  origin: 'm.origin',
  why: `coalesce(d.why, '')`,
  state: stateName,
} as const

/** What `count` groups by: of a reply the code and the enhanced status, of an age the hours, of a size the KiB. */
export const groupColumn = (field: FilterField, now: number): string => {
  switch (field) {
    case 'id':
      return 'd.message'
    case 'age':
      return `((${Math.floor(now)} - m.arrived) / 3600000)::text || 'h'`
    case 'attempts':
      return 'd.attempts::text'
    case 'size':
      return `(m.size / 1024)::text || 'k'`
    case 'reply':
      return `coalesce(substring(d.reply from '^[0-9]{3}(?: [245]\\.[^ ]*)?'), '')`
    case 'tag':
      return `(select coalesce(string_agg(value, ','), '') from ${tags})`
    default:
      return columns[field]
  }
}

/** Writes a value's place, `$1` and on. */
type Place = (value: string | number) => string

const text = (column: string, op: '=' | '~', value: string, place: Place): string =>
  op === '='
    ? `lower(${column}) = lower(${place(clean(value))})`
    : `${column} ilike ${place(likePattern(clean(value)))}`

const reply = (c: Extract<Condition, { readonly field: 'reply' }>, place: Place): string => {
  if ('code' in c) return `substring(d.reply from '^[0-9]{3}')::integer ${c.op} ${place(c.code)}`
  if (c.op === '~') return `d.reply ilike ${place(likePattern(clean(c.text)))}`
  const value = clean(c.text)
  return `(d.reply = ${place(value)} or d.reply like ${place(`${escapeLike(value)} %`)})`
}

const sqlOf = (c: Condition, now: number, place: Place): string => {
  switch (c.field) {
    case 'id':
      return `d.message ${c.op} ${place(c.id)}`
    case 'age':
      return `m.arrived ${c.op === '>' ? '<' : '>'} ${place(now - c.ms)}::bigint`
    case 'attempts':
      return `d.attempts ${c.op} ${place(c.number)}::bigint`
    case 'size':
      return `m.size ${c.op} ${place(c.number)}::bigint`
    case 'reply':
      return reply(c, place)
    case 'state':
      return `${stateName} = ${place(c.state)}`
    case 'tag':
      return `exists(select 1 from ${tags} where ${text('value', c.op, c.text, place)})`
    default:
      return text(columns[c.field], c.op, c.text, place)
  }
}

/** A filter as SQL whose values follow `before` others. Throws RangeError that says what a term may be. */
export const whereOf = (filter: Filter, now: number, before: number): Where => {
  const values: (string | number)[] = []
  const place: Place = value => `$${before + values.push(value)}`
  const sql = ['true', ...readFilter(filter).map(c => sqlOf(c, now, place))].join(' and ')
  return { sql, values }
}
