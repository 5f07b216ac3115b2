import type { Filter } from '@posthorn/contracts'

/** The text of a filter, which `parseFilter` reads back to the same filter. */
export const formatFilter = (filter: Filter): string =>
  filter.and
    .map(({ field, op, value }) => {
      if (field === 'id' && op === '=') return value
      if (field === 'sender' && value === '' && op === '=') return 'sender:<>'
      return `${field}${op === '=' ? ':' : op}${quote(value)}`
    })
    .join(' ')

const quote = (value: string): string =>
  value !== '' && !/[\s"\\]/.test(value) && value !== '<>' ? value : `"${value.replace(/["\\]/g, '\\$&')}"`
