import type { Authenticator, Clock, Intake, Journal, Origin, Random, ServerTls, Wire } from '@posthorn/contracts'
import type { Chain } from '@posthorn/plugin'
import type { Limits } from './limits.ts'

/** A listening service, as data: what it speaks, who decides, who takes the mail. */
export interface Service {
  /** `mx`, `submission`, `lmtp`, …: for plugins and events. */
  readonly name: string
  /** What its mail counts as in the queue. */
  readonly origin: Origin
  readonly protocol: 'smtp' | 'lmtp'
  /** What we call ourselves in the greeting. */
  readonly hostname: string
  readonly chain: Chain
  readonly intake: Intake
  readonly limits?: Partial<Limits>
  /** AUTH is offered only where this is. */
  readonly authenticator?: Authenticator
  /**
   * SASL mechanisms to offer, in order; when absent all that the authenticator can work with: PLAIN and LOGIN, SCRAM-SHA-256 and its -PLUS,
   * OAUTHBEARER and XOAUTH2, EXTERNAL. Those that need a client's certificate or channel binding are offered where there is one.
   */
  readonly mechanisms?: readonly string[]
  /**
   * What SCRAM makes of it for users who are not there, 32 octets that nobody knows: kept, so that what it shows of them stays the same over
   * restarts and nodes. Made anew for each listener when absent.
   */
  readonly decoySecret?: Uint8Array
  /** STARTTLS is offered only where this is. */
  readonly tls?: ServerTls
  /** TLS from the first octet (RFC 8314 §3). */
  readonly implicitTls?: boolean
  /** Whether AUTH waits for TLS; true when absent. */
  readonly authRequiresTls?: boolean
  /** Whether everything but EHLO, NOOP, STARTTLS and QUIT waits for TLS (RFC 3207 §4); false when absent. */
  readonly requireTls?: boolean
  /** Whether SMTPUTF8 is offered (RFC 6531); true when absent. */
  readonly smtputf8?: boolean
  /** Whether CHUNKING and BINARYMIME are offered (RFC 3030); true when absent. */
  readonly chunking?: boolean
  /** Whether DSN is offered (RFC 3461); true when absent. Who offers it has to report, so an intake that writes no reports must not. */
  readonly dsn?: boolean
  /** Whether MT-PRIORITY is offered (RFC 6710); false when absent. */
  readonly priorities?: boolean
  /** DELIVERBY is offered only where this is (RFC 2852), with the shortest time that is taken in mode R, in ms; 0 for any. */
  readonly deliverBy?: { readonly minimumMs: number }
  /** Who is told what addresses are; nobody when absent: VRFY is then answered 252, EXPN 502. */
  readonly directory?: Directory
  /** ETRN is offered only where this is. */
  readonly queueRuns?: QueueRuns
  /**
   * Proxies in front of us, by address or network. Every connection from one begins with who it is for (PROXY protocol, version 1 or 2),
   * and is closed when it does not; nobody else is believed to be a proxy.
   */
  readonly proxies?: readonly string[]
  /**
   * Clients, by address or network, that are believed when they say by XCLIENT for whom they speak: content filters and proxies that log
   * users in. Everything but the TLS of the session is then that client's, its rights too. Nobody when absent.
   */
  readonly xclient?: readonly string[]
  /** The same for XFORWARD: where the next message came from, for events only. */
  readonly xforward?: readonly string[]
  /** Told every line of every session, in the format of transcripts; secrets and message content are left out. */
  readonly trace?: (session: string, line: string) => void
}

/** VRFY and EXPN, for users who logged in and for the networks that are named. */
export interface Directory {
  readonly vrfy: boolean
  readonly expn: boolean
  readonly trusted: readonly string[]
  /** Of names without a domain. */
  readonly domain: string
}

/** Deliveries on demand, for sites that are not always there (ETRN, RFC 1985). */
export interface QueueRuns {
  /** Of what is asked for, and of what is below it where that is meant, the domains whose mail this client may ask for. */
  allowed(o: {
    readonly domain: string
    readonly withSubdomains: boolean
    readonly ip: string
    readonly user: string | undefined
  }): readonly string[]
  /** Make due what waits for these domains; says how many deliveries. Rejects when the queue can't. */
  start(domains: readonly string[], by: string): Promise<number>
}

/** What a listener is given besides the service. */
export interface ListenerDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
}

/**
 * Where to listen: a TCP port (0 picks one), or the path of a local socket. `reusePort` lets other processes of this user listen on the
 * port too; the kernel deals connections out among them.
 */
export type ListenAt =
  { readonly host: string; readonly port: number; readonly reusePort?: boolean } | { readonly path: string }

/** One service that accepts connections. */
export interface Listener {
  /** Rejects with the system's error. For a local socket the host is its path and the port 0. May be called for several places. */
  listen(at: ListenAt): Promise<{ readonly host: string; readonly port: number }>
  /** Hold a session on a wire from elsewhere, such as the lab's network. Owns the wire from now on. */
  serve(wire: Wire): void
  /** Sessions that are open. */
  readonly sessions: number
  /**
   * Take no more connections; say 421 to idle sessions at once and to the others after their message. Resolves when all are gone;
   * those that remain after the grace are cut off.
   */
  drain(graceMs: number): Promise<void>
  /** Take no more connections and cut off all sessions. */
  close(): Promise<void>
}
