import type { Clock } from '@posthorn/contracts'
import { isStoreError, storeError } from '@posthorn/queue-base'
import type { Database } from './database.ts'
import { enqueue } from './enqueue.ts'
import type { Inserted } from './enqueue.ts'
import { DatabaseFault } from './fault.ts'
import type { NewStored } from './stored.ts'
import type { Time } from './time.ts'

type Result = readonly Inserted[] | Error

const failed = (error: unknown): Error =>
  error instanceof DatabaseFault
    ? storeError(`the database: ${error.message}`, { full: error.fault === 'full', cause: error })
    : error instanceof Error
      ? error
      : new Error(String(error))

const sort = (messages: readonly NewStored[], rows: readonly Inserted[]): readonly Result[] => {
  const by = new Map<string, Inserted[]>()
  for (const row of rows) {
    const known = by.get(row.message)
    if (known === undefined) by.set(row.message, [row])
    else known.push(row)
  }
  return messages.map(m => by.get(m.id) ?? storeError(`the content of ${m.id} is no longer there`, { full: false }))
}

/**
 * Store a group of messages. After a lost connection the same is said again on another, for some seconds, and what the first
 * try had committed is found by its ids: so a message is answered 250 exactly when it is there. A group that the database refuses
 * is stored one by one, so that a bad message fails nobody else.
 */
export const commitGroup = async (
  db: Database,
  { clock, time }: { readonly clock: Clock; readonly time: Time },
  messages: readonly NewStored[],
): Promise<readonly Result[]> => {
  const since = clock.monotonic()
  let error: unknown
  for (let tries = 0, again = false; ; tries++) {
    try {
      return sort(messages, await enqueue(db.once, messages, { time, again }))
    } catch (thrown) {
      error = thrown
      if (!(thrown instanceof DatabaseFault) || (thrown.fault !== 'lost' && thrown.fault !== 'again')) break
      again ||= thrown.fault === 'lost'
      if (!(await db.another(tries, since))) break
    }
  }
  const refused = error instanceof DatabaseFault && error.fault === 'refused'
  if (!refused || messages.length === 1) {
    const result = isStoreError(error) ? error : failed(error)
    return messages.map(() => result)
  }
  const results: Result[] = []
  for (const message of messages) results.push(...(await commitGroup(db, { clock, time }, [message])))
  return results
}
