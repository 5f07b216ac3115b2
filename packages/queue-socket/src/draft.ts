import type { Claim, Draft, NewMessage, Owner, QueueId } from '@posthorn/contracts'
import { bodyOf, joinBytes } from '@posthorn/message'
import type { Body } from '@posthorn/message'
import type { Credit } from './credit.ts'
import { chunkSize } from './protocol.ts'
import type { PlainClaim } from './protocol.ts'
import type { Session } from './session.ts'

/** Octets of content up to which a message is sent in one piece, with its commit. */
const inline = 64 * 1024

const noHead = new Uint8Array()

/** A draft that is sent while it is written. */
interface Large {
  readonly draft: number
  readonly credit: Credit
}

/**
 * A message being written: kept here while it is small, sent on from the first chunk that makes it large. It belongs to the
 * connection on which it was begun; when that is lost, so is the draft.
 */
export const createDraft = (id: QueueId, o: { readonly session: Session; readonly sizeHint: number }): Draft => {
  const { session } = o
  let chunks: Uint8Array[] = []
  let size = 0
  let large: Large | undefined
  let over = false

  /** Waits only while there is no credit. */
  const send = (to: Large, bytes: Uint8Array): void | Promise<void> => {
    for (let at = 0; at < bytes.byteLength; at += chunkSize) {
      if (to.credit.left < chunkSize) return sendLater(to, bytes.subarray(at))
      sendPiece(to, bytes.subarray(at, at + chunkSize))
    }
    return undefined
  }
  const sendLater = async (to: Large, bytes: Uint8Array): Promise<void> => {
    for (let at = 0; at < bytes.byteLength; at += chunkSize) {
      await to.credit.atLeast(chunkSize)
      sendPiece(to, bytes.subarray(at, at + chunkSize))
    }
  }
  const sendPiece = ({ draft, credit }: Large, piece: Uint8Array): void => {
    credit.spend(piece.byteLength)
    session.chunk(draft, piece)
  }
  const readBack = (draft: number): Body => ({ size, open: signal => session.read({ draft }, signal) })

  const commitSmall = async (message: NewMessage, claimFor: ClaimFor): Promise<readonly Claim[]> => {
    const { head = noHead, ...rest } = message
    const content = joinBytes([head, ...chunks])
    const params = { id, size: o.sizeHint, message: rest, head: head.byteLength, ...(claimFor && { claimFor }) }
    const { result } = await session.ask('put', params, [content])
    const body = bodyOf(content)
    return result.map(claim => withBody(claim, body))
  }
  const commitLarge = async (
    { draft }: Large,
    { head = noHead, ...message }: NewMessage,
    claimFor: ClaimFor,
  ): Promise<readonly Claim[]> => {
    session.forget(draft)
    const { result } = await session.ask('commitDraft', { draft, message, ...(claimFor && { claimFor }) }, [head])
    return result.map(claim => remoteClaim(claim, session))
  }

  return {
    id,
    write: chunk => {
      size += chunk.byteLength
      if (large !== undefined) return send(large, chunk)
      chunks.push(chunk)
      if (size <= inline) return undefined
      large = session.begin(id, o.sizeHint)
      const joined = joinBytes(chunks)
      chunks = []
      return send(large, joined)
    },
    end: () => {
      if (large !== undefined) {
        const { draft } = large
        return session.ask('endDraft', { draft }).then(() => readBack(draft))
      }
      const bytes = joinBytes(chunks)
      chunks = [bytes]
      return bodyOf(bytes)
    },
    commit: async (message, claimFor) => {
      if (over) throw new Error(`message ${id} was committed or aborted already`)
      over = true
      if (message.recipients.length === 0) throw new RangeError('a message needs a recipient')
      return large === undefined ? commitSmall(message, claimFor) : commitLarge(large, message, claimFor)
    },
    abort: async () => {
      if (over) return
      over = true
      chunks = []
      if (large === undefined) return
      session.forget(large.draft)
      // Who is gone has aborted it already.
      await session.ask('abortDraft', { draft: large.draft }).catch(() => undefined)
    },
  }
}

type ClaimFor = { readonly owner: Owner; readonly leaseMs: number } | undefined

/** A claim with its content. */
export const withBody = (claim: PlainClaim, body: Body): Claim => {
  const { size: _size, ...rest } = claim
  return { ...rest, body }
}

/** A claim whose content is read from the owner of the queue when it is wanted. */
export const remoteClaim = (claim: PlainClaim, session: Session): Claim =>
  withBody(claim, { size: claim.size, open: signal => session.read({ id: claim.id }, signal) })
