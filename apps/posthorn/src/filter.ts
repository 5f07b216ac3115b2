import type { Filter, FilterField } from '@posthorn/contracts'
import { Failure } from './failure.ts'

const fields: readonly FilterField[] = [
  'id',
  'site',
  'sender',
  'rcpt',
  'domain',
  'state',
  'age',
  'attempts',
  'size',
  'reply',
  'tag',
  'user',
  'origin',
]
const isField = (text: string): text is FilterField => fields.some(f => f === text)

/** A field to filter or group by. Throws Failure. */
export const parseField = (text: string): FilterField => {
  if (isField(text)) return text
  throw new Failure(`${JSON.stringify(text)} is not a field to filter by; there are ${fields.join(', ')}`, 2)
}
const operators = { ':': '=', '~': '~', '<': '<', '>': '>' } as const

/** What the help of every queue command says of its filters. */
export const filterHelp: string = `Terms, all of which must hold: FIELD:VALUE equals, FIELD~TEXT contains, FIELD>N and FIELD<N compare;
a word alone is a queue id. Fields: ${fields.join(', ')}. Ages as 30m, 2h, 5d.
Example: site:mx:example.org age>2h`

/** One term of the filter grammar, or a queue id. Throws Failure. */
const term = (text: string): Filter['and'][number] => {
  const [, name, op, value] = /^([a-z]+)([:~<>])(.*)$/s.exec(text) ?? []
  if (name === undefined) {
    if (/^[0-9A-Za-z]{6,40}$/.test(text)) return { field: 'id', op: '=', value: text }
    throw new Failure(`${JSON.stringify(text)} is neither a queue id nor a term.\n${filterHelp}`, 2)
  }
  const field = parseField(name)
  if (value === undefined || value === '') throw new Failure(`${JSON.stringify(text)} names no value`, 2)
  const comparable = field === 'age' || field === 'attempts' || field === 'size'
  if ((op === '<' || op === '>') && !comparable)
    throw new Failure(`${field} can't be compared with ${op}; age, attempts and size can`, 2)
  if (field === 'age' && !/^\d{1,9}(s|m|h|d)?$/.test(value))
    throw new Failure(`${JSON.stringify(value)} is not an age such as 30m, 2h or 5d`, 2)
  if ((field === 'attempts' || field === 'size') && !/^\d{1,15}$/.test(value))
    throw new Failure(`${field} takes a whole number, not ${JSON.stringify(value)}`, 2)
  return { field, op: operators[op as keyof typeof operators], value }
}

/** The filter of a command line; no terms match everything. */
export const parseFilter = (terms: readonly string[]): Filter => ({ and: terms.map(term) })
