import { formatId, isSuspect, judgeSuspects, recovery } from '@posthorn/queue-base'
import type { Sentence } from '@posthorn/queue-base'
import type { DisownOp } from './operation.ts'
import type { DeliveryRow } from './row.ts'
import { free } from './settle.ts'
import { hold, rcptOf, record, writeTouched } from './work.ts'
import type { Work } from './work.ts'

/** Give back what those had in hand whose leases ran out. */
export const freeExpired = (work: Work): void => {
  if (recover(work, work.s.expired.all(work.batch.mono)) > 0) writeTouched(work)
}

/** Free the leases of an owner, of all but one, or all; says how many. */
export const disown = (work: Work, op: Omit<DisownOp, 'do'>): number => {
  const { s } = work
  const rows = op.owner !== undefined ? s.ownedBy.all(op.owner) : s.ownedByOthers.all(op.except ?? '')
  if (op.resigns !== true) return recover(work, rows)
  for (const { id } of rows) {
    const row = deliveryOf(work, id)
    free(work, row, row)
  }
  return rows.length
}

const deliveryOf = ({ s }: Work, id: unknown): DeliveryRow => s.delivery.get(id as number) as unknown as DeliveryRow

/** What an owner left without a word: most of it is due again as it was, but it counts how often that happened. */
const recover = (work: Work, rows: readonly Record<string, unknown>[]): number => {
  const suspects: DeliveryRow[] = []
  for (const { id } of rows) {
    const row = deliveryOf(work, id)
    if (isSuspect(row)) suspects.push(row)
    else {
      work.s.interrupted.run(row.interrupted + 1, row.id)
      free(work, row, row)
    }
  }
  judgeSuspects(suspects, work.batch.now).forEach((sentence, i) => {
    const row = suspects[i]
    if (row !== undefined) execute(work, row, sentence)
  })
  return rows.length
}

const execute = (work: Work, row: DeliveryRow, { interrupted, due, why, ...sentence }: Sentence): void => {
  // What an operator wants done with it goes before.
  const held = sentence.held && row.wish === null
  const event = held ? 'held' : 'interrupted'
  const rcpt = rcptOf(row)
  work.s.interrupted.run(interrupted, row.id)
  record(work, row.message, event, { rcpt, detail: why })
  const nonce = work.s.nonce.get(row.message)?.['nonce'] as number | undefined
  const id = formatId(row.message, nonce ?? 0)
  work.batch.changed.push({ event, id, rcpt, site: row.site, by: recovery, why })
  if (held) hold(work, row.id, why)
  else free(work, row, { due, why })
}
