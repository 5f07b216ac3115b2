import type { Claim, Journal, QueueId, SiteKey } from '@posthorn/contracts'
import type { Body } from '@posthorn/message'
import { bouncedBy, isCondemned } from '@posthorn/queue-base'
import { fetchBodies } from './content.ts'
import type { Database } from './database.ts'
import { messageOf, rcptOf, recipientOf } from './row.ts'
import type { DeliveryRow, MessageRow } from './row.ts'
import { state } from './schema.ts'
import { record, writeFreed } from './work.ts'
import type { Work } from './work.ts'

/** Leased rows as claims, with their messages. What is damaged waits for an operator instead of stopping the others. */
export const claimsOf = async (
  rows: readonly DeliveryRow[],
  o: {
    readonly db: Database
    readonly skew: number
    readonly journal: Journal | undefined
    readonly work: <T>(run: (work: Work) => Promise<T>) => Promise<T>
  },
): Promise<readonly Claim[]> => {
  if (rows.length === 0) return []
  const found = await o.db.read<MessageRow>(
    'select * from message where id = any($1::text[])',
    [[...new Set(rows.map(row => row.message))]],
    'messages',
  )
  const bodies = await fetchBodies(o.db, found)
  const messages = new Map(found.map(row => [row.id, row]))
  const damaged: DeliveryRow[] = []
  const claims = rows.flatMap(row => {
    const message = messages.get(row.message)
    const body = bodies.get(row.message)
    if (message !== undefined && body !== undefined) return [claimOf(row, { message, body, skew: o.skew })]
    damaged.push(row)
    return []
  })
  if (damaged.length > 0) await setAside(damaged, o)
  return claims
}

const claimOf = (
  row: DeliveryRow,
  o: { readonly message: MessageRow; readonly body: Body; readonly skew: number },
): Claim => {
  const { skew } = o
  const message = messageOf(o.message, skew)
  return {
    delivery: row.id,
    token: row.token,
    id: row.message as QueueId,
    site: row.site as SiteKey,
    to: recipientOf(row, skew),
    attempts: row.attempts,
    envelope: message.envelope,
    priority: message.priority ?? 0,
    tags: message.tags ?? [],
    body: o.body,
    arrived: o.message.arrived - skew,
    ...(message.expires !== undefined && { expires: message.expires }),
    ...(row.warned !== null && { warned: row.warned - skew }),
    ...(row.held_ms > 0 && { heldMs: row.held_ms }),
    ...(isCondemned(row.site) && { bounce: row.why ?? bouncedBy }),
  }
}

const setAside = async (
  rows: readonly DeliveryRow[],
  o: {
    readonly journal: Journal | undefined
    readonly work: <T>(run: (work: Work) => Promise<T>) => Promise<T>
  },
): Promise<void> => {
  const why = 'its message or its content is missing'
  await o.work(async work => {
    await writeFreed(
      work,
      rows.map(row => ({ ...row, state: state.held, why })),
    )
    for (const row of rows) record(work, row.message, 'corrupt', { rcpt: rcptOf(row), detail: why })
  })
  for (const row of rows) o.journal?.event('queue.corrupt', { id: row.message, why }, 'error')
}
