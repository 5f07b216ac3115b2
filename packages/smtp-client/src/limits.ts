/** What one conversation may take, in milliseconds, and what a pool may keep. */
export interface ClientLimits {
  /** For the connection itself. */
  readonly connectMs: number
  /** For a TLS handshake. */
  readonly tlsMs: number
  readonly bannerMs: number
  readonly ehloMs: number
  /** For each reply of the AUTH exchange. */
  readonly authMs: number
  readonly mailMs: number
  readonly rcptMs: number
  /** From DATA to 354. */
  readonly dataMs: number
  /** For the peer to take what was written, each time we have to wait. */
  readonly blockMs: number
  /** From the final dot to its reply. */
  readonly dotMs: number
  /** How long a connection waits for its next message. */
  readonly idleMs: number
  readonly messagesPerConnection: number
  /** Connections that wait, over all peers. */
  readonly maxIdle: number
  /** Bodies up to this many octets leave in one write. */
  readonly singleWrite: number
  /** Longer ones go by BDAT where it is offered. */
  readonly chunkFrom: number
}

const MINUTE = 60_000

/** The timeouts are those of RFC 5321 §4.5.3.2; EHLO and AUTH, of which it does not speak, get those of MAIL. */
export const defaultLimits: ClientLimits = {
  connectMs: 30_000,
  tlsMs: 2 * MINUTE,
  bannerMs: 5 * MINUTE,
  ehloMs: 5 * MINUTE,
  authMs: 5 * MINUTE,
  mailMs: 5 * MINUTE,
  rcptMs: 5 * MINUTE,
  dataMs: 2 * MINUTE,
  blockMs: 3 * MINUTE,
  dotMs: 10 * MINUTE,
  idleMs: 5000,
  messagesPerConnection: 100,
  maxIdle: 100,
  singleWrite: 65_536,
  chunkFrom: 65_536,
}
