import { parseTranscript, type TranscriptStep } from './transcript.ts'
import type { PeerScript, ScriptedPeer } from './scripted-peer.ts'

const latin1 = (bytes: Uint8Array): string => Array.from(bytes, octet => String.fromCharCode(octet)).join('')

const event = async (peer: ScriptedPeer, at: number, name: string): Promise<void> => {
  switch (name) {
    case 'end':
      return peer.end()
    case 'reset':
      return peer.reset()
    case 'left':
      return peer.left()
    default:
      throw new SyntaxError(`line ${at}: no such event of a peer: ${name}`)
  }
}

/** A line is compared as soon as it is there; anything else octet for octet. */
const heard = async (peer: ScriptedPeer, want: string): Promise<string> => {
  if (!want.endsWith('\r\n') || want.indexOf('\r\n') !== want.length - 2) return peer.take(want.length)
  const line = await peer.line()
  return line === undefined ? '' : `${line}\r\n`
}

const expected = async (peer: ScriptedPeer, at: number, bytes: Uint8Array): Promise<void> => {
  const want = latin1(bytes)
  const got = await heard(peer, want)
  if (got !== want)
    throw new Error(`line ${at}: the client should have said ${JSON.stringify(want)}, not ${JSON.stringify(got)}`)
}

const play = async (peer: ScriptedPeer, steps: readonly TranscriptStep[]): Promise<void> => {
  for (const step of steps) {
    if (step.do === 'send') await expected(peer, step.at, step.bytes)
    else if (step.do === 'event') await event(peer, step.at, step.name)
    else peer.say(`${step.line}\r\n`)
  }
}

/**
 * The server's part of a transcript, to drive a client with: it says the `S:` lines and expects the `C:` lines octet by octet.
 * Of an answer that is only known by its beginning (`S~`, `S*`) it says that.
 * Events: `X: end` and `X: reset` close the connection, `X: left` waits until the client has gone.
 */
export const transcriptPeer = (text: string): PeerScript => {
  const { steps } = parseTranscript(text)
  return peer => play(peer, steps)
}
