import type { Filter, FilterField } from '@posthorn/contracts'

/** One condition of a filter as it stands in the contract. */
export type Term = Filter['and'][number]

/** What a field holds, and so how it can be compared. */
export type Kind = 'id' | 'text' | 'state' | 'age' | 'number' | 'reply'

/** Every field with its kind, in the order in which they are explained. */
export const kinds: { readonly [F in FilterField]: Kind } = {
  id: 'id',
  site: 'text',
  sender: 'text',
  rcpt: 'text',
  domain: 'text',
  state: 'state',
  age: 'age',
  attempts: 'number',
  size: 'number',
  reply: 'reply',
  why: 'text',
  tag: 'text',
  user: 'text',
  origin: 'text',
}

/** The operators of each kind; `=` is written `:`. */
export const operators: { readonly [K in Kind]: readonly Term['op'][] } = {
  id: ['=', '<', '>'],
  text: ['=', '~'],
  state: ['='],
  age: ['<', '>'],
  number: ['=', '<', '>'],
  reply: ['=', '~', '<', '>'],
}

/** Fields that may be compared with nothing: mail with the null sender, of no user, without a reason. */
export const mayBeEmpty: ReadonlySet<FilterField> = new Set(['sender', 'user', 'why'])

export const filterFields: readonly FilterField[] = Object.keys(kinds) as readonly FilterField[]

export const isFilterField = (text: string): text is FilterField => Object.hasOwn(kinds, text)

/** A filter of more terms than this is refused: each of them costs every row that is looked at. */
export const mostTerms = 50

/** The grammar in a few lines, for the help of whatever takes a filter. */
export const filterHelp: string = `Terms, all of which must hold: FIELD:VALUE equals, FIELD~TEXT contains (* stands for anything), FIELD>N and FIELD<N compare;
a word alone is a queue id. Fields: ${filterFields.join(', ')}.
Ages as 90s, 30m, 2h, 5d, 1w; sizes as 500, 10k, 5M; sender:<> is mail with the null sender.
Example: site:mx:example.org age>2h reply~"over quota"`
