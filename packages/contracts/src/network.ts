import type { TlsNeed } from './tls.ts'

export interface Endpoint {
  readonly ip: string
  readonly port: number
}

/** What a TLS handshake agreed on. */
export interface TlsFacts {
  /** As Node names it, such as `TLSv1.3`. */
  readonly version: string
  readonly cipher: string
  /** The peer's certificate satisfied what was asked of it. */
  readonly authorized: boolean
  /** Why it did not, when it did not. */
  readonly why?: string
  readonly alpn?: string
  readonly sni?: string
  /** Of a client that was asked for one and has one. */
  readonly peerCertificate?: PeerCertificate
}

/** Whose key a peer has proved to hold. */
export interface PeerCertificate {
  /** It leads to an authority that we trust for this, and is in force. */
  readonly trusted: boolean
  /** Why it does not. */
  readonly why?: string
  /** The common name of its subject. */
  readonly commonName?: string
  /** Its alternative names, such as `DNS:client.example` and `email:ann@example.org`. */
  readonly names: readonly string[]
  /** SHA-256 of all of it, in lower-case hexadecimal. */
  readonly fingerprint: string
}

/** Who is told of what arrives on a wire. Called synchronously; must not throw. */
export interface WireReader {
  /** The chunk may be kept; it is not reused. */
  data(chunk: Uint8Array): void
  /** The peer sends no more. */
  end(): void
  /** Nothing more happens on this wire; `error` when it did not end in good order. Called once. */
  closed(error?: Error): void
}

/**
 * A byte stream with TLS facts, owned by one session; made by the operating system's network or by the lab's.
 * A wire starts paused: `read` attaches the reader and starts the flow.
 */
export interface Wire {
  readonly peer: Endpoint
  readonly local: Endpoint
  readonly tls: TlsFacts | undefined
  /** Attach or replace the one reader. */
  read(reader: WireReader): void
  pause(): void
  resume(): void
  /** Strings are written as latin1. False: wait for `drained` before writing much more. */
  write(bytes: Uint8Array | string): boolean
  /** Resolves when the buffer is empty again, or the wire closed. */
  drained(): Promise<void>
  /**
   * As a client, put TLS under the wire and wait for the handshake. Rejects when `need` is not met; the wire is then closed.
   * Bytes read in clear before the handshake must have been refused by the caller already (RFC 3207 §6).
   */
  secure(need: TlsNeed, signal?: AbortSignal): Promise<TlsFacts>
  /** As a server, the same (after the 220 to STARTTLS has been written). */
  secureServer(certificates: ServerTls, signal?: AbortSignal): Promise<TlsFacts>
  /** What both ends of this TLS connection know and nobody else does: `tls-exporter` (RFC 9266 §2); undefined when there is none. */
  channelBinding?(): Uint8Array | undefined
  /** Flush what was written, then end. */
  close(): void
  /** End at once. */
  abort(): void
}

/** TLS for a listening service. Session tickets are never shared between two of these. */
export interface ServerTls {
  /** An opaque `tls.SecureContext` maker keyed by SNI lives behind this; see `@posthorn/tls-policy`. */
  readonly certificates: Certificates
  readonly alpn?: readonly string[]
  /** Ask clients for a certificate; a client without one is served too. */
  readonly clientCertificates?: {
    /** Who vouches for them (PEM); the system's authorities when absent. */
    readonly ca?: readonly string[]
  }
}

export interface CertificatePair {
  readonly certPem: string
  readonly keyPem: string
}

/** Certificates of our own by server name; the default for an unknown or absent name. */
export interface Certificates {
  forName(sni: string | undefined): CertificatePair
  /** Every name has the same pair, so that nobody needs to look at what a client asks for. */
  readonly sameForAll?: boolean
  /** Called when files changed; the result unsubscribes. */
  onChange(call: () => void): () => void
}

export interface Network {
  /** Rejects with an Error whose `code` is the system's (ECONNREFUSED, ETIMEDOUT, …). */
  dial(
    to: { readonly host: string; readonly port: number; readonly source?: string; readonly path?: string },
    signal?: AbortSignal,
  ): Promise<Wire>
}
