/** Where access tokens come from (RFC 6749 §1.4). */
export interface TokenSource {
  /** A token that is good now, fetched when need be. Rejects when there is none. */
  token(signal: AbortSignal): Promise<string>
  /** The peer did not take this token: the next one must be another. */
  refused?(token: string): void
}

/** What proves who we are. The same object for many connections spares SCRAM its key derivation. */
export type Credentials =
  | { readonly user: string; readonly password: string }
  | { readonly user: string; readonly tokens: TokenSource }
  /** The certificate that TLS shows (RFC 4422 §A); `user` when we are to act as somebody whom it does not name. */
  | { readonly external: true; readonly user?: string }
