import type { Filter } from '@posthorn/contracts'
import { conditionOf } from './condition.ts'
import { filterHelp, mostTerms } from './field.ts'
import type { Term } from './field.ts'

/** A filter, or what is wrong with its text in words for whoever wrote it. */
export type ParsedFilter =
  { readonly ok: true; readonly filter: Filter } | { readonly ok: false; readonly problem: string }

const operatorOf = { ':': '=', '=': '=', '~': '~', '<': '<', '>': '>' } as const

/**
 * Read a filter from one text, whose terms stand apart by white space, or from words that are a term each, as a shell gives them.
 * Values with spaces stand in double quotes in a text, where a backslash takes away the meaning of the next character.
 */
export const parseFilter = (input: string | readonly string[]): ParsedFilter => {
  const words = typeof input === 'string' ? split(input) : input
  if (words === undefined) return { ok: false, problem: 'a quotation mark is not closed' }
  if (words.length > mostTerms) return { ok: false, problem: `a filter has at most ${mostTerms} terms` }
  const and: Term[] = []
  for (const word of words) {
    const term = termOf(word)
    if (typeof term === 'string') return { ok: false, problem: term }
    const condition = conditionOf(term)
    if (typeof condition === 'string') return { ok: false, problem: condition }
    and.push(term)
  }
  return { ok: true, filter: { and } }
}

/** The terms of a text; undefined when a quotation mark is not closed. */
const split = (text: string): readonly string[] | undefined => {
  const words: readonly string[] = text.match(/(?:[^\s"]|"(?:[^"\\]|\\.)*")+|"/gs) ?? []
  return words.includes('"') ? undefined : words
}

const termOf = (word: string): Term | string => {
  const [, field, op, value] = /^([a-z]+)([:=~<>])(.*)$/s.exec(word) ?? []
  if (field === undefined || op === undefined || value === undefined) {
    if (/^[0-9A-Za-z]{10,26}$/.test(word)) return { field: 'id', op: '=', value: word }
    return `${JSON.stringify(word.slice(0, 100))} is neither a queue id nor a term.\n${filterHelp}`
  }
  const compare = operatorOf[op as keyof typeof operatorOf]
  if (field === 'sender' && compare === '=' && value === '<>') return { field, op: '=', value: '' }
  // Who asks for a field that is not there is told by the check of the term.
  return { field: field as Term['field'], op: compare, value: unquote(value) }
}

const unquote = (value: string): string =>
  /^"(?:[^"\\]|\\.)*"$/s.test(value) ? value.slice(1, -1).replace(/\\(.)/gs, '$1') : value
