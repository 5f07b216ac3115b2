import type { RemoteReply } from '@posthorn/reply'

/** Where in an attempt it was decided. */
export type Phase =
  'route' | 'dns' | 'connect' | 'banner' | 'ehlo' | 'tls' | 'auth' | 'mail' | 'rcpt' | 'data' | 'dot' | 'local'

/** What became of one recipient in one attempt. `unknown`: the connection was lost after the final dot, before its reply. */
export interface Outcome {
  readonly fate: 'delivered' | 'relayed' | 'expanded' | 'deferred' | 'failed' | 'unknown'
  readonly phase: Phase
  /** A short reason for people and logs. */
  readonly cause: string
  readonly reply?: RemoteReply
  /** Name and address of the peer, such as `mx.example.org[192.0.2.1]:25`. */
  readonly remote?: string
  /** Of the status when there is no reply, such as `4.4.1`. */
  readonly status?: string
  /** The peer offered DSN and took over the duty to report (RFC 3461 §5.2.2). */
  readonly dsnTakenOver?: boolean
  /** The peer offered DELIVERBY and was told by when, so that it sees to it from now on (RFC 2852 §4.1.4). */
  readonly deliverByTakenOver?: boolean
  /** Set when the attempt never reached DNS, a socket or a disk: it does not count as a try. */
  readonly notTried?: boolean
  /** Why TLS was asked for as it was: `because` of the TLS need, such as `dane`. */
  readonly tlsPolicy?: string
  readonly tls?: { readonly version: string; readonly cipher: string; readonly authorized: boolean }
}
