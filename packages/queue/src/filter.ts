import type { Filter, FilterField } from '@posthorn/contracts'
import { readFilter } from '@posthorn/queue-filter'
import type { Condition } from '@posthorn/queue-filter'
import { escapeLike, keyAt, likePattern, parseId } from '@posthorn/queue-base'

/** A condition as SQL over `d` (delivery) and `m` (message), its values apart. */
export interface Where {
  readonly sql: string
  readonly values: readonly (string | number)[]
  /** Whether it, or what it is grouped by, needs the message's row. */
  readonly joins: boolean
}

const rcpt = `(d.local || '@' || d.domain)`
const sender = `coalesce(m.sender_local || '@' || m.sender_domain, '')`
const stateName = `case when d.state = 1 then 'leased' when d.state = 2 then 'held' when d.doubt = 1 then 'unknown' else 'ready' end`

const textColumns = {
  site: 'd.site',
  sender,
  rcpt,
  domain: 'd.domain',
  user: `coalesce(m.user, '')`,
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
      return `cast((${Math.floor(now)} - m.arrived) / 3600000 as text) || 'h'`
    case 'attempts':
      return 'd.attempts'
    case 'size':
      return `cast(m.size / 1024 as text) || 'k'`
    case 'reply':
      return `coalesce(case when substr(d.reply, 5, 2) in ('2.', '4.', '5.')
        then substr(d.reply, 1, 3 + instr(substr(d.reply, 5) || ' ', ' ')) else substr(d.reply, 1, 3) end, '')`
    case 'tag':
      return `(select coalesce(group_concat(value, ','), '') from json_each(m.tags))`
    default:
      return textColumns[field]
  }
}

type SqlAndValues = Omit<Where, 'joins'>

const text = (column: string, op: '=' | '~', value: string): SqlAndValues =>
  op === '='
    ? { sql: `lower(${column}) = lower(?)`, values: [value] }
    : { sql: `${column} like ? escape '\\'`, values: [likePattern(value)] }

const id = ({ op, id }: Extract<Condition, { readonly field: 'id' }>): SqlAndValues => {
  const key = parseId(id)
  if (key === undefined && op === '=') return { sql: 'false', values: [] }
  if (key === undefined) throw new RangeError(`id: ${JSON.stringify(id)} is not the id of a message of this queue`)
  if (op !== '=') return { sql: `d.message ${op} ?`, values: [key.key] }
  return { sql: `d.message = ? and m.nonce = ?`, values: [key.key, key.nonce] }
}

const reply = (c: Extract<Condition, { readonly field: 'reply' }>): SqlAndValues => {
  if ('code' in c) return { sql: `cast(substr(d.reply, 1, 3) as integer) ${c.op} ?`, values: [c.code] }
  if (c.op === '~') return { sql: `d.reply like ? escape '\\'`, values: [likePattern(c.text)] }
  return { sql: `(d.reply = ? or d.reply like ? escape '\\')`, values: [c.text, `${escapeLike(c.text)} %`] }
}

const sqlOf = (c: Condition, now: number): SqlAndValues => {
  switch (c.field) {
    case 'id':
      return id(c)
    case 'age':
      return { sql: `m.arrived ${c.op === '>' ? '<' : '>'} ?`, values: [now - c.ms] }
    case 'attempts':
      return { sql: `d.attempts ${c.op} ?`, values: [c.number] }
    case 'size':
      return { sql: `m.size ${c.op} ?`, values: [c.number] }
    case 'reply':
      return reply(c)
    case 'state':
      return { sql: `${stateName} = ?`, values: [c.state] }
    case 'tag':
      return c.op === '='
        ? { sql: `exists(select 1 from json_each(m.tags) where lower(value) = lower(?))`, values: [c.text] }
        : {
            sql: `exists(select 1 from json_each(m.tags) where value like ? escape '\\')`,
            values: [likePattern(c.text)],
          }
    default:
      return text(textColumns[c.field], c.op, c.text)
  }
}

/** A filter as SQL with its values apart. Throws RangeError that says what a term may be. */
export const whereOf = (filter: Filter, now: number): Where => {
  const terms = readFilter(filter).map(c => sqlOf(c, now))
  const sql = ['true', ...terms.map(t => t.sql)].join(' and ')
  return { sql, values: terms.flatMap(t => t.values), joins: /\bm\./.test(sql) }
}

/** A column of `delivery` with an index of those that wait or have waited, and what a filter wants it to be. */
export interface Lookup {
  readonly column: string
  readonly index: string
  readonly value: string
}

/** What an index answers of a filter, if anything. */
export const lookupOf = (filter: Filter): Lookup | undefined => {
  for (const c of readFilter(filter)) {
    if (c.field === 'sender' && c.op === '=') return { column: 'sender', index: 'delivery_sender', value: c.text }
    if (c.field === 'rcpt' && c.op === '=')
      return { column: `lower(local || '@' || domain)`, index: 'delivery_rcpt', value: c.text }
  }
  return undefined
}

/** No delivery with a lower key can match: keys are never behind the clock, so a filter for young mail reads little. */
export const lowestKey = (filter: Filter, now: number): number => {
  let from = 0
  for (const c of readFilter(filter)) if (c.field === 'age' && c.op === '<') from = Math.max(from, keyAt(now - c.ms))
  return from
}
