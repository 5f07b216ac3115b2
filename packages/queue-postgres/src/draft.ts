import { bodyOf } from '@posthorn/message'
import type { Body } from '@posthorn/message'
import type { Claim, Draft, Owner, QueueId } from '@posthorn/contracts'
import { firstClaim } from '@posthorn/queue-base'
import type { FreshMail } from '@posthorn/queue-base'
import { readChunks, writeChunks } from './chunks.ts'
import type { Chunks } from './chunks.ts'
import type { Database } from './database.ts'
import type { Inserted } from './enqueue.ts'
import { state } from './schema.ts'
import { octetsOf } from './stored.ts'
import type { NewStored } from './stored.ts'
import type { Time } from './time.ts'

export interface DraftDeps {
  readonly db: Database
  readonly time: Time
  /** Octets up to which content is kept in memory until the commit. */
  readonly bodyInline: number
  readonly submit: (message: NewStored, bytes: number) => Promise<readonly Inserted[]>
  /** The owner's row is there and lives. */
  readonly alive: (owner: Owner) => Promise<void>
}

const noHead = new Uint8Array()

/** A message being written: in memory while it is small, in rows of its own from the first chunk that makes it large. */
export const createDraft = (id: QueueId, o: DraftDeps): Draft => {
  let parts: Uint8Array[] = []
  let size = 0
  let chunks: Chunks | undefined
  let over = false
  const finish = (): void => {
    if (over) throw new Error(`message ${id} was committed or aborted already`)
    over = true
  }
  const stored = (head: Uint8Array, spooled: number): Body => ({
    size: head.byteLength + spooled,
    async *open(signal) {
      if (head.byteLength > 0) yield head
      yield* readChunks(o.db, id, { first: 1, size: spooled, signal })
    },
  })
  const end = async (large: Chunks): Promise<Body> => {
    await large.flush()
    return stored(noHead, size)
  }

  return {
    id,
    write: chunk => {
      size += chunk.byteLength
      if (chunks !== undefined) return chunks.write(chunk)
      parts.push(chunk)
      if (size <= o.bodyInline) return undefined
      chunks = writeChunks(o.db, id)
      const joined = Buffer.concat(parts)
      parts = []
      return chunks.write(joined)
    },
    end: () => {
      if (chunks !== undefined) return end(chunks)
      const joined = Buffer.concat(parts)
      parts = [joined]
      return bodyOf(joined)
    },
    commit: async (message, claimFor) => {
      finish()
      const { head = noHead, ...rest } = message
      if (message.recipients.length === 0) throw new RangeError('a message needs a recipient')
      try {
        await chunks?.flush()
        if (claimFor !== undefined) await o.alive(claimFor.owner)
        const spooled = chunks === undefined ? 0 : size
        const content = chunks === undefined ? [head, ...parts] : [head]
        const item = { id, message: rest, content, spooled, ...(claimFor !== undefined && { claim: claimFor }) }
        const rows = await o.submit(item, octetsOf(content))
        const body = chunks === undefined ? bodyOf(Buffer.concat(content)) : stored(head, spooled)
        return claimsOf(rows, { id, message: rest, body, skew: o.time.skew })
      } catch (error) {
        // Only the draft goes: a message that was committed after all has none any more, and keeps its chunks.
        await chunks?.discard()
        throw error
      }
    },
    abort: async () => {
      if (over) return
      over = true
      parts = []
      await chunks?.discard()
    },
  }
}

const claimsOf = (
  rows: readonly Inserted[],
  { skew, ...mail }: FreshMail & { readonly skew: number },
): readonly Claim[] =>
  mail.message.recipients.flatMap((to, i): Claim[] => {
    const row = rows[i]
    return row?.state === state.leased ? [firstClaim(mail, to, { delivery: row.id, arrived: row.now - skew })] : []
  })
