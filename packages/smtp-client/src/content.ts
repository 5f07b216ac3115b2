import { DotStuffer } from '@posthorn/smtp'
import type { Body } from '@posthorn/message'
import { isLost, type Conversation, type Lost } from './conversation.ts'
import type { ClientLimits } from './limits.ts'
import { loss, refusal, type Trouble } from './outcome.ts'

/** Content ready to leave in one write, or none because it is too long for that. */
export type Content = Uint8Array | Trouble | undefined

/** RFC 5321 §2.3.8: a peer that takes a bare LF for a line end would read a second message out of it. */
const bareNewline: Trouble = {
  phase: 'data',
  fate: 'failed',
  status: '5.6.0',
  cause: 'the content has a CR or LF that is not part of a CR LF, which DATA cannot carry',
}

/** The whole with its final dot, when it is in memory and short. */
export const shortContent = (body: Body, limits: ClientLimits): Content => {
  if (body.size > limits.singleWrite) return undefined
  const { bytes } = body
  if (bytes === undefined) return undefined
  const stuffer = new DotStuffer()
  const parts = stuffer.push(bytes)
  const end = stuffer.end()
  if (stuffer.bare) return bareNewline
  return Buffer.concat([...parts, end])
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

const sendChunk = async (c: Conversation, chunk: Uint8Array, limits: ClientLimits): Promise<Trouble | undefined> => {
  if (!c.say(chunk)) await c.drained(limits.blockMs)
  return c.lost === undefined ? undefined : loss('data', c.lost)
}

interface Streaming {
  readonly conversation: Conversation
  readonly body: Body
  readonly limits: ClientLimits
  readonly stillOurs: (() => boolean) | undefined
}

const sendChunks = async (
  s: Streaming,
  stuffer: DotStuffer | undefined,
  signal: AbortSignal,
): Promise<Trouble | undefined> => {
  let size = 0
  for await (const chunk of s.body.open(signal)) {
    size += chunk.byteLength
    const parts = stuffer === undefined ? [chunk] : stuffer.push(chunk)
    if (stuffer?.bare === true) return bareNewline
    for (const part of parts) {
      const trouble = await sendChunk(s.conversation, part, s.limits)
      if (trouble !== undefined) return trouble
    }
    // To BDAT the peer may well answer as soon as it has the last octet.
    if (stuffer !== undefined && !s.conversation.quiet) return earlyReply(s.conversation, s.limits)
  }
  if (size === s.body.size) return undefined
  return { phase: 'data', cause: `the body has ${size} octets instead of ${s.body.size}`, status: '4.3.0' }
}

const read = async (s: Streaming, stuffer: DotStuffer | undefined): Promise<Trouble | undefined> => {
  // Reading ends with the connection: a slow disk must not hold on to a message whose peer has gone.
  const reading = new AbortController()
  s.conversation.onUnasked = () => s.conversation.lost && reading.abort()
  try {
    return await sendChunks(s, stuffer, reading.signal)
  } catch (error) {
    if (s.conversation.lost !== undefined) return loss('data', s.conversation.lost)
    return { phase: 'data', cause: `the body cannot be read: ${(error as Error).message}`, status: '4.3.0' }
  } finally {
    s.conversation.onUnasked = undefined
  }
}

/**
 * Stream a body at the peer's pace, with its dots doubled, and the final dot; or as one chunk of BDAT with an empty last one. Any trouble means that the end
 * was not sent and the connection is gone.
 */
export const streamContent = async (s: Streaming, dots: boolean): Promise<Trouble | undefined> => {
  const stuffer = dots ? new DotStuffer() : undefined
  const trouble = await read(s, stuffer)
  if (trouble !== undefined) return breakOff(s.conversation, trouble)
  const end = stuffer === undefined ? 'BDAT 0 LAST\r\n' : stuffer.end()
  if (stuffer?.bare === true) return breakOff(s.conversation, bareNewline)
  if (s.stillOurs?.() === false) return breakOff(s.conversation, notOurs)
  s.conversation.say(end)
  return undefined
}
