import type { Tlsa } from './tls.ts'

/** An answer from the DNS. A failure is a value; `servfail`, `timeout` and `bogus` are temporary, the others are facts. */
export type Answer<T> =
  | {
      readonly ok: true
      readonly records: readonly T[]
      /** The AD bit: a validating resolver vouches for it (RFC 4035 §3.2.3). */
      readonly secure: boolean
      /** In seconds. */
      readonly ttl: number
      /** The name at the end of a CNAME chain, when there was one. */
      readonly canonical?: string
    }
  | {
      readonly ok: false
      readonly why: 'nxdomain' | 'nodata' | 'servfail' | 'timeout' | 'bogus'
      readonly secure: boolean
    }

export interface Mx {
  readonly preference: number
  /** Lower case without the trailing dot; the empty string is the root (null MX, RFC 7505). */
  readonly exchange: string
}

/** Look-ups; never rejects but with the signal's reason. Names are A-labels without a trailing dot. */
export interface Resolver {
  mx(name: string, signal?: AbortSignal): Promise<Answer<Mx>>
  a(name: string, signal?: AbortSignal): Promise<Answer<string>>
  aaaa(name: string, signal?: AbortSignal): Promise<Answer<string>>
  txt(name: string, signal?: AbortSignal): Promise<Answer<string>>
  ptr(ip: string, signal?: AbortSignal): Promise<Answer<string>>
  tlsa(name: string, signal?: AbortSignal): Promise<Answer<Tlsa>>
}
