import type { DeliverBy } from '@posthorn/contracts'

/** Further away than any date, and four times it is still a safe integer. */
const farthest = 2 ** 50

const returns = 1
const traces = 2

/**
 * The time and what belongs to it as the one whole number of the column `deliver_by`: milliseconds times four, plus 1 for mode R, plus 2
 * for the trace. So messages without it pay for no further columns.
 */
export const packDeliverBy = ({ at, mode, trace }: DeliverBy): number =>
  Math.floor(Math.max(-farthest, Math.min(farthest, at))) * 4 + (mode === 'return' ? returns : 0) + (trace ? traces : 0)

/** What `packDeliverBy` packed. */
export const unpackDeliverBy = (packed: number): DeliverBy => {
  const at = Math.floor(packed / 4)
  const flags = packed - at * 4
  return { at, mode: flags % 2 === returns ? 'return' : 'notify', trace: flags >= traces }
}
