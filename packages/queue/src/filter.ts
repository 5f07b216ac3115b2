import type { Filter, FilterField } from '@posthorn/contracts'
import { keyAt, parseId } from './ids.ts'

export interface Where {
  /** Over `d` (delivery) and `m` (message). */
  readonly sql: string
  readonly values: readonly (string | number)[]
}

type Op = Filter['and'][number]['op']
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

const refuse = (field: FilterField, op: Op, value: string, allowed: string): RangeError =>
  new RangeError(`filter ${field}${op}${value}: ${allowed}`)

const escapeLike = (value: string): string => value.replace(/[\\%_]/g, c => `\\${c}`)

/** `*` stands for any characters; without one, `~` means "contains". Nothing else is special. */
const pattern = (value: string): string => {
  const escaped = escapeLike(value)
  return escaped.includes('*') ? escaped.replaceAll('*', '%') : `%${escaped}%`
}

const text = (column: string, field: FilterField, op: Op, value: string): Where => {
  if (op === '=') return { sql: `lower(${column}) = lower(?)`, values: [value] }
  if (op === '~') return { sql: `${column} like ? escape '\\'`, values: [pattern(value)] }
  throw refuse(field, op, value, 'only = and ~ compare text')
}

const number = (column: string, field: FilterField, op: Op, value: string): Where => {
  const match = /^(\d{1,15})([kMG]?)$/.exec(value)
  if (match === null || op === '~') throw refuse(field, op, value, '=, < or > and a number, such as 20 or 10k')
  const unit = { k: 1024, M: 1024 ** 2, G: 1024 ** 3 }[match[2] ?? ''] ?? 1
  return { sql: `${column} ${op} ?`, values: [Number(match[1]) * unit] }
}

/** A duration in ms from `30m`, `2h`, `5d`, `10s`, or seconds; undefined when it is none. */
export const parseAge = (value: string): number | undefined => {
  const match = /^(\d{1,12})([smhdw]?)$/.exec(value)
  if (match === null) return undefined
  const seconds = { '': 1, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }[match[2] ?? ''] ?? 1
  return Number(match[1]) * seconds * 1000
}

const age = (op: Op, value: string, now: number): Where => {
  const ms = parseAge(value)
  if (ms === undefined || op === '~' || op === '=')
    throw refuse('age', op, value, '< or > and an age, such as 90, 30m, 2h or 5d')
  return { sql: `m.arrived ${op === '>' ? '<' : '>'} ?`, values: [now - ms] }
}

const id = (op: Op, value: string): Where => {
  const parsed = parseId(value)
  if (parsed === undefined || op === '~') throw refuse('id', op, value, '=, < or > and a whole queue id')
  if (op !== '=') return { sql: `d.message ${op} ?`, values: [parsed.key] }
  return { sql: `d.message = ? and m.nonce = ?`, values: [parsed.key, parsed.nonce] }
}

const reply = (op: Op, value: string): Where => {
  if (op === '=')
    return { sql: `(d.reply = ? or d.reply like ? escape '\\')`, values: [value, `${escapeLike(value)} %`] }
  if (op === '~') return { sql: `d.reply like ? escape '\\'`, values: [pattern(value)] }
  if (!/^\d{3}$/.test(value)) throw refuse('reply', op, value, 'a reply code of three digits')
  return { sql: `cast(substr(d.reply, 1, 3) as integer) ${op} ?`, values: [Number(value)] }
}

const state = (op: Op, value: string): Where => {
  if (op !== '=' || !['ready', 'leased', 'held', 'unknown'].includes(value))
    throw refuse('state', op, value, 'one of =ready, =leased, =held, =unknown')
  return { sql: `${stateName} = ?`, values: [value] }
}

const tag = (op: Op, value: string): Where => {
  if (op === '=') return { sql: `exists(select 1 from json_each(m.tags) where value = ?)`, values: [value] }
  if (op === '~')
    return { sql: `exists(select 1 from json_each(m.tags) where value like ? escape '\\')`, values: [pattern(value)] }
  throw refuse('tag', op, value, 'only = and ~ compare text')
}

const term = ({ field, op, value }: Filter['and'][number], now: number): Where => {
  switch (field) {
    case 'id':
      return id(op, value)
    case 'age':
      return age(op, value, now)
    case 'attempts':
      return number('d.attempts', field, op, value)
    case 'size':
      return number('m.size', field, op, value)
    case 'reply':
      return reply(op, value)
    case 'tag':
      return tag(op, value)
    case 'state':
      return state(op, value)
    case 'site':
    case 'sender':
    case 'rcpt':
    case 'domain':
    case 'user':
    case 'origin':
      return text(textColumns[field], field, op, value)
    default:
      throw new RangeError(`no field ${String(field)}`)
  }
}

/** A filter as SQL with its values apart. Throws RangeError that says what a term may be. */
export const whereOf = (filter: Filter, now: number): Where => {
  if (filter.and.length > 50) throw new RangeError('a filter of more than 50 terms')
  const terms = filter.and.map(t => term(t, now))
  return {
    sql: ['true', ...terms.map(t => t.sql)].join(' and '),
    values: terms.flatMap(t => t.values),
  }
}

/** No delivery with a lower key can match: keys are never behind the clock, so a filter for young mail reads little. */
export const lowestKey = (filter: Filter, now: number): number => {
  let from = 0
  for (const { field, op, value } of filter.and) {
    const ms = field === 'age' && op === '<' ? parseAge(value) : undefined
    if (ms !== undefined) from = Math.max(from, keyAt(now - ms))
  }
  return from
}
