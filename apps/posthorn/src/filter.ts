import type { Filter, FilterField } from '@posthorn/contracts'
import { filterFields, isFilterField, parseFilter } from '@posthorn/queue-filter'
import { Failure } from './failure.ts'

/** The filter of a command line; no terms match everything. Throws Failure. */
export const filterOf = (terms: readonly string[]): Filter => {
  const parsed = parseFilter(terms)
  if (!parsed.ok) throw new Failure(parsed.problem, 2)
  return parsed.filter
}

/** A field to group by. Throws Failure. */
export const fieldOf = (text: string): FilterField => {
  if (isFilterField(text)) return text
  throw new Failure(`${JSON.stringify(text)} is not a field to group by; there are ${filterFields.join(', ')}`, 2)
}
