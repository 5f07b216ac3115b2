declare const brand: unique symbol

/** A domain in the form that is compared: lower case, A-labels, or an address literal such as `[192.0.2.1]`. */
export type Domain = string & { readonly [brand]: 'domain' }

/** A local part without its quoting, exactly as the sender wrote it otherwise (RFC 5321 §2.4: case is kept). */
export type LocalPart = string & { readonly [brand]: 'local' }

/**
 * A mailbox whose grammar has been checked (RFC 5321 §4.1.2, RFC 6531 §3.3).
 * `wire` is what stood between the angle brackets, source route removed; it is what we send on.
 * The null path `<>` is `null`, never a Mailbox. Plain data, so that it crosses threads and stores unchanged.
 */
export interface Mailbox {
  readonly local: LocalPart
  readonly domain: Domain
  readonly wire: string
}
