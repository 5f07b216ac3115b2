import type { Attempt } from '@posthorn/contracts'

/** Characters of a reply that are kept. */
const longest = 500

/** What operators filter and group by: `451 4.7.1 Try again later`, bounded; null when nobody replied. */
export const replyText = (attempt: Attempt | undefined): string | null => {
  const reply = attempt?.reply
  if (reply === undefined) return null
  const status = reply.enhanced === undefined ? '' : `${reply.enhanced} `
  return `${reply.code} ${status}${reply.lines.join(' ')}`.slice(0, longest)
}
