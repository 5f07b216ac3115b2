import type { DeliveryState, Filter, FilterField, QueueId } from '@posthorn/contracts'
import { isFilterField, kinds, mayBeEmpty, mostTerms, operators } from './field.ts'
import type { Term } from './field.ts'

/** Fields that are compared as text. */
export type TextField = Exclude<FilterField, 'id' | 'state' | 'age' | 'attempts' | 'size' | 'reply'>

/** A term whose value has been read: what a store turns into a query. Text is compared without regard to case. */
export type Condition =
  | { readonly field: 'id'; readonly op: '=' | '<' | '>'; readonly id: QueueId }
  | { readonly field: TextField; readonly op: '=' | '~'; readonly text: string }
  | { readonly field: 'state'; readonly state: DeliveryState }
  /** In ms; `>` means older. */
  | { readonly field: 'age'; readonly op: '<' | '>'; readonly ms: number }
  /** Of `size`, in octets. */
  | { readonly field: 'attempts' | 'size'; readonly op: '=' | '<' | '>'; readonly number: number }
  /** `=` compares the code, or the code and what follows it, at a word's end. */
  | { readonly field: 'reply'; readonly op: '=' | '~'; readonly text: string }
  | { readonly field: 'reply'; readonly op: '<' | '>'; readonly code: number }

const states: readonly DeliveryState[] = ['ready', 'leased', 'held', 'unknown']
const isState = (text: string): text is DeliveryState => states.some(s => s === text)

const units = { '': 1, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 } as const
const ageOf = (value: string): number | undefined => {
  const match = /^(\d{1,9})([smhdw]?)$/.exec(value)
  return match === null ? undefined : Number(match[1]) * units[match[2] as keyof typeof units] * 1000
}

const multiples = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 } as const
const numberOf = (value: string): number | undefined => {
  const match = /^(\d{1,12})([kmg]?)$/i.exec(value)
  return match === null
    ? undefined
    : Number(match[1]) * multiples[(match[2] ?? '').toLowerCase() as keyof typeof multiples]
}

const spelled = (ops: readonly Term['op'][]): string => ops.map(op => (op === '=' ? ':' : op)).join(' or ')
const wrong = (value: string, what: string): string => `${JSON.stringify(value.slice(0, 100))} is not ${what}`

/** The term with its value read, or what is wrong with it and what would be right. */
export const conditionOf = ({ field, op, value }: Term): Condition | string => {
  // What comes over a socket may be anything.
  if (!isFilterField(field))
    return `${wrong(String(field), 'a field to filter by')}; there are ${Object.keys(kinds).join(', ')}`
  const kind = kinds[field]
  if (!operators[kind].includes(op))
    return `${field} can't be compared with ${op === '=' ? ':' : op}; it takes ${spelled(operators[kind])}`
  if (typeof value !== 'string' || (value === '' && !(op === '=' && mayBeEmpty.has(field))))
    return `${field}: names no value`
  return read({ field, op, value })
}

const read = ({ field, op, value }: Term): Condition | string => {
  switch (field) {
    case 'id':
      return /^[0-9A-Za-z]{10,26}$/.test(value)
        ? { field, op: op as '=', id: value as QueueId }
        : `id: ${wrong(value, 'a whole queue id')}`
    case 'state':
      return isState(value) ? { field, state: value } : `state: ${wrong(value, `one of ${states.join(', ')}`)}`
    case 'age': {
      const ms = ageOf(value)
      return ms === undefined
        ? `age: ${wrong(value, 'an age such as 90s, 30m, 2h, 5d or 1w')}`
        : { field, op: op as '<', ms }
    }
    case 'attempts':
    case 'size': {
      const number = numberOf(value)
      return number === undefined
        ? `${field}: ${wrong(value, 'a whole number such as 20, 10k or 5M')}`
        : { field, op: op as '=', number }
    }
    case 'reply':
      if (op === '=' || op === '~') return { field, op, text: value }
      return /^[2-5]\d\d$/.test(value)
        ? { field, op, code: Number(value) }
        : `reply: ${wrong(value, 'a reply code of three digits')}`
    default:
      return { field, op: op as '=', text: value }
  }
}

/** The conditions of a filter, for a store. Throws RangeError that says what is wrong and what would be right. */
export const readFilter = (filter: Filter): readonly Condition[] => {
  if (filter.and.length > mostTerms) throw new RangeError(`a filter has at most ${mostTerms} terms`)
  return filter.and.map(term => {
    const condition = conditionOf(term)
    if (typeof condition === 'string') throw new RangeError(condition)
    return condition
  })
}
