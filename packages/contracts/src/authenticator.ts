import type { Mailbox } from '@posthorn/address'

/** Who logged in. */
export interface Identity {
  /** The canonical user name. */
  readonly user: string
}

/** Checks secrets. Rejects on an internal failure, which the session answers 454 4.7.0. */
export interface Authenticator {
  password(user: string, password: string, signal: AbortSignal): Promise<Identity | undefined>
  /** The verifier for SCRAM-SHA-256 (RFC 5802 §3), when the user has one. */
  scram?(user: string, signal: AbortSignal): Promise<ScramVerifier | undefined>
}
export interface ScramVerifier {
  readonly salt: Uint8Array
  readonly iterations: number
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
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
