import { DotStuffer } from '@posthorn/smtp'
import { piecesOf } from '@posthorn/message'
import type { Body } from '@posthorn/message'
import { isLost, type Conversation, type Lost } from './conversation.ts'
import type { ClientLimits } from './limits.ts'
import { loss, refusal, type Trouble } from './outcome.ts'

/** Content ready to leave in one write, or none because it is too long for that. */
export type Content = Uint8Array | Trouble | undefined

/** RFC 5321 §2.3.8: a peer that takes a bare LF for a line end would read a second message out of it. */
export const bareNewline: Trouble = {
  phase: 'data',
  fate: 'failed',
  status: '5.6.0',
  cause: 'the content has a CR or LF that is not part of a CR LF, which a message made of lines cannot carry',
}

/** The whole with its final dot, when it is in memory and short. */
export const shortContent = (body: Body, limits: ClientLimits): Content => {
  if (body.size > limits.singleWrite) return undefined
  const pieces = piecesOf(body)
  if (pieces === undefined) return undefined
  const stuffer = new DotStuffer()
  const parts: Uint8Array[] = []
  for (const piece of pieces) parts.push(...stuffer.push(piece))
  parts.push(stuffer.end())
  return stuffer.bare ? bareNewline : Buffer.concat(parts)
}

export const notOurs: Trouble = { phase: 'mail', cause: 'no longer ours to send', status: '4.3.0', notTried: true }

const giveUp = (c: Conversation, cause: string): Lost => {
  const lost: Lost = { lost: 'aborted', cause, status: '4.3.0' }
  c.lose(lost)
  return lost
}

/** Break off: without the final dot the peer must throw away what it got (RFC 5321 §4.1.1.4). */
export const breakOff = (c: Conversation, trouble: Trouble): Trouble => {
  giveUp(c, trouble.cause)
  return trouble
}

/** The peer may refuse before all is said; more would be wasted, and without the dot nothing was sent. */
const earlyReply = async (c: Conversation, limits: ClientLimits): Promise<Trouble> => {
  const heard = await c.hear(limits.blockMs)
  if (isLost(heard)) return loss('data', heard)
  const trouble = refusal('data', heard)
  giveUp(c, trouble.cause)
  return trouble
}

const sendPiece = async (c: Conversation, piece: Uint8Array, limits: ClientLimits): Promise<Trouble | undefined> => {
  if (!c.say(piece)) await c.drained(limits.blockMs)
  return c.lost === undefined ? undefined : loss('data', c.lost)
}

/** What a source that failed says: nothing about the message, if it was the peer that left. */
export const unreadable = (c: Conversation, error: unknown): Trouble => {
  if (c.lost !== undefined) return loss('data', c.lost)
  return { phase: 'data', cause: `the body cannot be read: ${(error as Error).message}`, status: '4.3.0' }
}
export const wrongSize = (size: number, body: Body): Trouble => ({
  phase: 'data',
  cause: `the body has ${size} octets instead of ${body.size}`,
  status: '4.3.0',
})

interface Streaming {
  readonly conversation: Conversation
  readonly body: Body
  readonly limits: ClientLimits
  readonly stillOurs: (() => boolean) | undefined
}

const sendPieces = async (s: Streaming, stuffer: DotStuffer, signal: AbortSignal): Promise<Trouble | undefined> => {
  let size = 0
  for await (const piece of s.body.open(signal)) {
    size += piece.byteLength
    const parts = stuffer.push(piece)
    if (stuffer.bare) return bareNewline
    for (const part of parts) {
      const trouble = await sendPiece(s.conversation, part, s.limits)
      if (trouble !== undefined) return trouble
    }
    if (!s.conversation.quiet) return earlyReply(s.conversation, s.limits)
  }
  return size === s.body.size ? undefined : wrongSize(size, s.body)
}

const read = async (s: Streaming, stuffer: DotStuffer): Promise<Trouble | undefined> => {
  // Reading ends with the connection: a slow disk must not hold on to a message whose peer has gone.
  const reading = new AbortController()
  s.conversation.onUnasked = () => s.conversation.lost && reading.abort()
  try {
    return await sendPieces(s, stuffer, reading.signal)
  } catch (error) {
    return unreadable(s.conversation, error)
  } finally {
    s.conversation.onUnasked = undefined
  }
}

/** Stream a body at the peer's pace, with its dots doubled, and the final dot. Any trouble means that it was not sent and the connection is gone. */
export const streamContent = async (s: Streaming): Promise<Trouble | undefined> => {
  const stuffer = new DotStuffer()
  const trouble = await read(s, stuffer)
  if (trouble !== undefined) return breakOff(s.conversation, trouble)
  const end = stuffer.end()
  if (stuffer.bare) return breakOff(s.conversation, bareNewline)
  if (s.stillOurs?.() === false) return breakOff(s.conversation, notOurs)
  s.conversation.say(end)
  return undefined
}
