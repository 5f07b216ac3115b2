import { bodyOf, concatBody } from '@posthorn/message'
import type { Body } from '@posthorn/message'
import type { Claim, Draft, NewMessage, NewRecipient, Owner, QueueId } from '@posthorn/contracts'
import { headAndFile } from './content.ts'
import { joinParts } from './engine.ts'
import type { Done } from './group.ts'
import type { EnqueueOp } from './operation.ts'
import type { Spool, SpoolFile } from './spool.ts'
import { firstClaim, isStoreError } from '@posthorn/queue-base'

export interface DraftDeps {
  /** Absent: everything stays in memory. */
  readonly spool: Spool | undefined
  /** Octets up to which content is kept in the store. */
  readonly bodyInline: number
  readonly submit: (op: EnqueueOp, contents: readonly (readonly Uint8Array[])[]) => Promise<Done>
  readonly takeKeys: (count: number) => number
  readonly wall: () => number
}

const noHead = new Uint8Array()

/** A message being written: in memory while it is small, in a spool file from the first chunk that makes it large. */
export const createDraft = (key: number, nonce: number, id: QueueId, o: DraftDeps): Draft => {
  let chunks: Uint8Array[] = []
  let size = 0
  let file: SpoolFile | undefined
  let over = false
  const finish = (): void => {
    if (over) throw new Error(`message ${id} was committed or aborted already`)
    over = true
  }

  const write = (chunk: Uint8Array): void | Promise<void> => {
    size += chunk.byteLength
    if (file !== undefined) return file.write(chunk)
    chunks.push(chunk)
    if (size <= o.bodyInline || o.spool === undefined) return undefined
    file = o.spool.create(id)
    const joined = joinParts(chunks)
    chunks = []
    return file.write(joined)
  }
  const end = (): Body | Promise<Body> => {
    if (file === undefined) {
      const bytes = joinParts(chunks)
      chunks = [bytes]
      return bodyOf(bytes)
    }
    return endFile(file)
  }
  const endFile = async (spooled: SpoolFile): Promise<Body> => {
    await spooled.flush()
    return headAndFile(noHead, size, signal => openFile(signal))
  }
  const openFile = (signal?: AbortSignal): AsyncIterable<Uint8Array> => {
    if (o.spool === undefined) throw new Error('no spool')
    return o.spool.read(id, size, signal)
  }

  const commit = async (
    message: NewMessage,
    claimFor?: { readonly owner: Owner; readonly leaseMs: number },
  ): Promise<readonly Claim[]> => {
    finish()
    const { head = noHead, ...rest } = message
    if (message.recipients.length === 0) throw new RangeError('a message needs a recipient')
    const stored: EnqueueOp = {
      do: 'enqueue',
      ...(claimFor && { claim: claimFor }),
      key,
      nonce,
      first: o.takeKeys(message.recipients.length),
      arrived: Math.floor(o.wall()),
      size: head.byteLength + size,
      spooled: file === undefined ? 0 : size,
      message: rest,
    }
    try {
      await file?.sync()
    } catch (error) {
      await file?.discard()
      throw error
    }
    try {
      const done = await o.submit(stored, [[head, ...chunks]])
      const leased = done.value as readonly number[] | 'all'
      if (leased.length === 0) return []
      const body =
        file === undefined ? concatBody(head, bodyOf(joinParts(chunks))) : headAndFile(head, stored.size, openFile)
      return claimsOf(stored, leased, { id, body })
    } catch (error) {
      // After a failure of the disk the row may be there when the store is opened again, and then needs its file; if it is not,
      // the file is an orphan of the next start. A full disk has rolled back, and needs the room.
      if (isStoreError(error) && error.full) await file?.discard()
      throw error
    }
  }

  return {
    id,
    write,
    end,
    commit,
    abort: async () => {
      if (over) return
      over = true
      chunks = []
      await file?.discard()
    },
  }
}

const claimsOf = (
  { message, first, arrived }: Pick<EnqueueOp, 'first' | 'arrived' | 'message'>,
  leased: readonly number[] | 'all',
  { id, body }: { readonly id: QueueId; readonly body: Body },
): readonly Claim[] => {
  const mail = { id, message, body }
  const claimOf = (to: NewRecipient, i: number): Claim => firstClaim(mail, to, { delivery: first + i, arrived })
  const { recipients } = message
  return leased === 'all' ? recipients.map(claimOf) : leased.map(i => claimOf(recipients[i] as NewRecipient, i))
}
