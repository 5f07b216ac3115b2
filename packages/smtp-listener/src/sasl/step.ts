import type { Identity, PeerCertificate, SaslClient, ScramVerifier } from '@posthorn/contracts'

/** What a mechanism says next: let the client say more, ask the authenticator, or come to an end. Only data, and nothing waits in it. */
export type SaslStep =
  /** Base64, as it goes on the wire. */
  | { readonly challenge: string; readonly next: (response: Uint8Array) => SaslStep; readonly cancel?: () => void }
  | SaslQuestion
  | { readonly identity: Identity }
  /** Understood and not right. The name is what the client called itself. */
  | { readonly denied: string }
  | { readonly malformed: true }

/** Something that only the authenticator knows. */
export type SaslQuestion =
  | (About & { readonly ask: 'password'; readonly password: string; readonly next: Knowing<Identity> })
  | (About & { readonly ask: 'token'; readonly token: string; readonly next: Knowing<Identity> })
  | (About & { readonly ask: 'certificate'; readonly certificate: PeerCertificate; readonly next: Knowing<Identity> })
  | (About & { readonly ask: 'verifier'; readonly next: Knowing<ScramVerifier> })
  /** Held elsewhere. */
  | { readonly ask: 'exchange'; readonly run: (signal: AbortSignal) => Promise<SaslStep> }
interface About {
  readonly user: string
}
type Knowing<T> = (answer: T | undefined) => SaslStep

/** What a mechanism may need to know of the session. */
export interface SaslContext {
  /** Printable, without a comma, never used before. */
  nonce(): string
  /** The `tls-exporter` channel binding (RFC 9266 §2) where there is one. */
  binding(): Uint8Array | undefined
  /** Whether a mechanism with channel binding was offered to this client. */
  readonly bindingOffered: boolean
  /** A verifier that fits no password, always the same for one name, for a user that is not there (RFC 5802 §9). */
  decoy(user: string): ScramVerifier
  readonly certificate: PeerCertificate | undefined
  readonly client: SaslClient
}

/** A mechanism begins with the client's initial response, if it sent one. */
export type SaslMechanism = (initial: Uint8Array | undefined, context: SaslContext) => SaslStep

/** What cannot be read. */
export const malformed: SaslStep = { malformed: true }

/** The end of every question about a secret. */
export const identified =
  (user: string): Knowing<Identity> =>
  identity =>
    identity === undefined ? { denied: user } : { identity }
