import type { Queue, QueueId } from '@posthorn/contracts'
import { isSuspect, judgeSuspects, recovery } from '@posthorn/queue-base'
import { changingColumns } from './change.ts'
import type { Changing } from './change.ts'
import { rcptOf } from './row.ts'
import { state } from './schema.ts'
import { freeRows } from './settle.ts'
import { record } from './work.ts'
import type { Freed, Work } from './work.ts'

/** Give back what those had in hand whose leases ran out, or who died. Bounded; the rest is for the next claim. */
export const freeEnded = async (work: Work): Promise<void> => {
  const rows = await work.sql.query<Changing>(
    `select ended.* from owner o cross join lateral (
       select ${changingColumns} from delivery d
       where d.state = 1 and d.owner = o.name and (d.lease_until <= $1 or o.alive_until <= $1)
       order by d.lease_until limit 500 for update of d skip locked) ended order by ended.id`,
    [work.now],
    'ended leases',
  )
  await recover(work, rows)
}

/** Free the leases of an owner, or of all but one; says how many. */
export const disown = async (work: Work, o: Parameters<Queue['disown']>[0]): Promise<number> => {
  const rows = await work.sql.query<Changing>(
    `select ${changingColumns} from delivery d where d.state = 1
     and ${'owner' in o ? 'd.owner = $1' : 'd.owner <> $1'} order by d.id for update`,
    ['owner' in o ? o.owner : o.except],
  )
  if ('owner' in o && o.resigns === true) await freeRows(work, rows, () => ({}))
  else await recover(work, rows)
  return rows.length
}

/** What an owner left without a word: most of it is due again as it was, but it counts how often that happened. */
const recover = async (work: Work, rows: readonly Changing[]): Promise<void> => {
  if (rows.length === 0) return
  const suspects = rows.filter(isSuspect)
  const sentences = judgeSuspects(suspects, work.now)
  const suspected = new Map<Changing, Partial<Freed>>()
  suspects.forEach((row, i) => {
    const sentence = sentences[i]
    if (sentence === undefined) return
    const { interrupted, due, why } = sentence
    // What an operator wants done with it goes before.
    const held = sentence.held && row.wish === null
    const event = held ? 'held' : 'interrupted'
    const rcpt = rcptOf(row)
    record(work, row.message, event, { rcpt, detail: why })
    work.changed.push({ event, id: row.message as QueueId, rcpt, site: row.site, by: recovery, why })
    suspected.set(row, { interrupted, due, why, state: held ? state.held : state.ready })
  })
  await freeRows(work, rows, row => suspected.get(row) ?? { interrupted: row.interrupted + 1 })
}
