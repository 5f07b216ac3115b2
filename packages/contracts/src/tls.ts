import type { CertificatePair } from './network.ts'

/** What outgoing TLS must achieve, as data; the client obeys it. */
export interface TlsNeed {
  /**
   * `never`: in clear. `may`: use STARTTLS when offered, do not check. `encrypt`: no clear text, unchecked.
   * `verify`: the certificate must chain to a known authority and match a name. `dane`: it must match a TLSA record.
   */
  readonly level: 'never' | 'may' | 'encrypt' | 'verify' | 'dane'
  /** Names any of which the certificate may bear; the first is sent as SNI. */
  readonly names: readonly string[]
  readonly tlsa?: readonly Tlsa[]
  /** Trust these authorities instead of the system's (PEM). */
  readonly ca?: readonly string[]
  /** Our own, for a peer that asks who we are. */
  readonly certificate?: CertificatePair
  /** Who asked for it: `opportunistic`, `credentials`, `configuration`, `dane`, `mta-sts`, `mta-sts-testing`, `requiretls`,
   * `tls-required-no`. */
  readonly because: string
}
export interface Tlsa {
  readonly usage: number
  readonly selector: number
  readonly matching: number
  readonly data: Uint8Array
}
