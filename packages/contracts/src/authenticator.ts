import type { Mailbox } from '@posthorn/address'
import type { Endpoint, PeerCertificate } from './network.ts'

/** Who logged in. */
export interface Identity {
  /** The canonical user name. */
  readonly user: string
}

/** Checks secrets. Rejects on an internal failure, which the session answers 454 4.7.0. */
export interface Authenticator {
  password?(user: string, password: string, signal: AbortSignal): Promise<Identity | undefined>
  /** Who was found by this password a short while ago, as far as it can be said at once; whoever is not found is asked about by `password`. */
  recent?(user: string, password: string): Identity | undefined
  /** Somebody who holds whole SASL exchanges. Its mechanisms go before those that rest on the questions here. */
  readonly sasl?: SaslService
  /** The verifier for SCRAM-SHA-256 (RFC 5802 §3), when the user has one. */
  scram?(user: string, signal: AbortSignal): Promise<ScramVerifier | undefined>
  /** What new verifiers have, and so what a user who does not exist is shown; 16,384 when absent. */
  readonly scramIterations?: number
  /** An OAuth 2.0 bearer token (RFC 6750), as XOAUTH2 and OAUTHBEARER bring it (RFC 7628). `user` is `''` where the token alone is to say. */
  token?(user: string, token: string, signal: AbortSignal): Promise<Identity | undefined>
  /**
   * A certificate that the client has proved to own, for EXTERNAL (RFC 4422 §A). `user` is whom it wants to be, `''` where the certificate
   * alone is to say. Whether its issuer is trusted is in it, and to be judged here.
   */
  certificate?(user: string, certificate: PeerCertificate, signal: AbortSignal): Promise<Identity | undefined>
}
export interface ScramVerifier {
  /** The canonical name of whose it is; as it was asked for when absent. */
  readonly user?: string
  readonly salt: Uint8Array
  readonly iterations: number
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
}

/** Who wants to log in, for who decides elsewhere. */
export interface SaslClient {
  readonly ip: string
  readonly port: number
  readonly local: Endpoint
  /** Under TLS. */
  readonly secure: boolean
}
/** What a mechanism says next: something to answer, or its end. `denied` is the name that the client gave, `''` where there is none. */
export type SaslAnswer =
  { readonly challenge: Uint8Array } | { readonly identity: Identity } | { readonly denied: string }
/** One exchange, whose octets are passed on as they are. */
export interface SaslExchange {
  /** The client's response; `undefined` begins without one. Rejects on an internal failure; the exchange is over then. */
  answer(response: Uint8Array | undefined, signal: AbortSignal): Promise<SaslAnswer>
  /** The client broke it off, or has gone. Idempotent; nothing when it is over. */
  cancel(): void
}
/** Holds SASL exchanges in our place, such as Dovecot. */
export interface SaslService {
  /** By their registered names; another list when they have changed. */
  readonly mechanisms: readonly string[]
  begin(mechanism: string, client: SaslClient): SaslExchange
}

/** The users as records, beside their secrets. */
export interface SenderRights {
  /** Whether this user may use this reverse-path or From address. */
  maySendAs(user: string, address: Mailbox): boolean
}

/** What local domains hold. */
export interface Mailboxes {
  isLocalDomain(domain: string): boolean
  /** The mailbox that takes mail for this address, by name. */
  find(address: Mailbox): string | undefined
}
