import type { Outcome, Phase, RemoteReply, TlsFacts } from '@posthorn/contracts'
import type { Lost } from './conversation.ts'

/** Why it did not go on, before it is said of each recipient. */
export interface Trouble {
  readonly phase: Phase
  readonly cause: string
  /** `deferred` when absent. */
  readonly fate?: 'failed' | 'deferred' | 'unknown'
  readonly status?: string
  readonly reply?: RemoteReply
  readonly notTried?: boolean
}

/** Who was spoken to, for outcomes. */
export interface Peer {
  readonly remote: string
  readonly tls: TlsFacts | undefined
  /** Why TLS was asked for as it was. */
  readonly tlsPolicy: string
}

/** What a peer said, fit for one line of a log: the first line, bounded, without control characters. */
export const quote = ({ code, enhanced, lines }: RemoteReply): string =>
  `${code}${enhanced === undefined ? '' : ` ${enhanced}`} ${lines[0] ?? ''}`
    .slice(0, 200)
    .replaceAll(/[^\x20-\x7e]/g, '?')
    .trim()

export const classOf = (reply: RemoteReply): number => Math.trunc(reply.code / 100)

const peerFacts = ({ remote, tls, tlsPolicy }: Peer): Pick<Outcome, 'remote' | 'tls' | 'tlsPolicy'> => ({
  remote,
  tlsPolicy,
  ...(tls === undefined ? {} : { tls: { version: tls.version, cipher: tls.cipher, authorized: tls.authorized } }),
})

export const outcomeOf = (trouble: Trouble, peer: Peer): Outcome => ({
  fate: trouble.fate ?? 'deferred',
  phase: trouble.phase,
  cause: trouble.cause,
  ...(trouble.reply === undefined ? {} : { reply: trouble.reply }),
  ...(trouble.status === undefined ? {} : { status: trouble.status }),
  ...(trouble.notTried === true ? { notTried: true } : {}),
  ...peerFacts(peer),
})

/** The peer answered no: its class decides whether for good; whatever is neither yes nor no is for now. */
export const refusal = (phase: Phase, reply: RemoteReply): Trouble => ({
  phase,
  cause: quote(reply),
  fate: classOf(reply) === 5 ? 'failed' : 'deferred',
  reply,
})

/**
 * The peer answered no to RCPT. 552 after others were taken is the old code for too many recipients, and so for now (RFC 5321
 * §4.5.3.1.10), unless its status speaks of the mailbox.
 */
export const recipientRefusal = (reply: RemoteReply, taken: number): Trouble => {
  const { code, enhanced } = reply
  const tooMany = code === 552 && taken > 0 && (enhanced === undefined || enhanced === '5.5.3')
  return tooMany ? { ...refusal('rcpt', reply), fate: 'deferred', status: '4.5.3' } : refusal('rcpt', reply)
}

/** The connection was lost before the final dot: nothing was sent. */
export const loss = (phase: Phase, lost: Lost): Trouble => ({
  phase,
  cause: lost.cause,
  status: lost.status,
  notTried: lost.lost === 'aborted',
})

/** The peer took it: over LMTP it is in the mailbox, over SMTP on its way. */
export const success = (protocol: 'smtp' | 'lmtp', dsn: boolean, reply: RemoteReply, peer: Peer): Outcome => ({
  fate: protocol === 'lmtp' ? 'delivered' : 'relayed',
  phase: 'dot',
  cause: quote(reply),
  reply,
  ...(dsn ? { dsnTakenOver: true } : {}),
  ...peerFacts(peer),
})
