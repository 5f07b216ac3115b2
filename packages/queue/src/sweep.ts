import type { Work } from './work.ts'

/** How much of the past is kept. */
export interface History {
  /** After a message left, in ms. */
  readonly keepMs: number
  /** Messages that have left; the oldest go first. */
  readonly limit: number
}

export const defaultHistory: History = { keepMs: 7 * 86_400_000, limit: 500_000 }

/** One small step of forgetting: keys whose time is over, messages that left long ago. Says whether there is more to do now. */
export const sweep = ({ s, batch, counters }: Work, history: History, departedBefore: number): boolean => {
  const keys = s.kvSweep.run(batch.now).changes
  const departed = departedBefore + batch.departed
  const rows = departed === 0 ? [] : s.walk.all(counters.cursor)
  let forgotten = 0
  for (const row of rows) {
    const [id, gone] = [row['id'] as number, row['gone'] as number | null]
    counters.cursor = id
    const old = gone !== null && (gone <= batch.now - history.keepMs || departed - forgotten > history.limit)
    if (!old) continue
    s.forgetHistory.run(id)
    s.forgetMessage.run(id)
    forgotten++
  }
  if (rows.length < 500) counters.cursor = 0
  batch.departed -= forgotten
  return keys === 500 || forgotten >= 250 || departed - forgotten > history.limit
}
