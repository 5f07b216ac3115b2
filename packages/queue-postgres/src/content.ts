import { bodyOf } from '@posthorn/message'
import type { Body } from '@posthorn/message'
import { readChunks } from './chunks.ts'
import type { Database } from './database.ts'

/** Content that is fetched with one claim; what is more is fetched when it is read. */
const contentPerClaim = 8 * 1024 * 1024

type Stored = { readonly id: string; readonly size: number; readonly inline: number; readonly spooled: number }

/** Head and body together, read row by row. */
export const bodyOfStored = (db: Database, m: Stored): Body => ({
  size: m.size,
  open: signal => readChunks(db, m.id, { first: m.inline > 0 ? 0 : 1, size: m.size, signal }),
})

const headAndChunks = (db: Database, m: Stored, head: Uint8Array): Body => ({
  size: m.size,
  async *open(signal) {
    if (head.byteLength > 0) yield head
    yield* readChunks(db, m.id, { first: 1, size: m.spooled, signal })
  },
})

/** Bodies of messages: those that are small are fetched at once, up to a bound, and the others when they are read. */
export const fetchBodies = async (
  db: Database,
  messages: readonly Stored[],
): Promise<ReadonlyMap<string, Body | undefined>> => {
  let room = contentPerClaim
  const wanted = messages.filter(m => (room -= m.inline) > 0)
  const rows = await db.read<{ message: string; content: Buffer }>(
    'select message, content from body where message = any($1::text[]) and seq = 0',
    [wanted.map(m => m.id)],
    'contents',
  )
  const contents = new Map(rows.map(row => [row.message, row.content]))
  const asked = new Set(wanted.map(m => m.id))
  return new Map(
    messages.map(m => {
      if (!asked.has(m.id)) return [m.id, bodyOfStored(db, m)]
      const content = contents.get(m.id)
      if (content === undefined || content.byteLength !== m.inline) return [m.id, undefined]
      return [m.id, m.spooled === 0 ? bodyOf(content) : headAndChunks(db, m, content)]
    }),
  )
}
