import type { Resolver, Tlsa, TlsNeed } from '@posthorn/contracts'
import { usableTlsa } from '@posthorn/system'
import type { PolicyHost } from './policies.ts'

/** What the DNS says of a host's certificate: nothing, a need, or that it can't be asked now. */
export type DaneFinding =
  | { readonly found: 'nothing' }
  /** `usable`: there is a record to check the certificate by; without one the need is encryption alone (RFC 7672 §2.2). */
  | { readonly found: 'need'; readonly need: TlsNeed; readonly usable: boolean; readonly tlsa: readonly Tlsa[] }
  | { readonly found: 'failure'; readonly why: string }

const nothing: DaneFinding = { found: 'nothing' }

/**
 * Look for TLSA records (RFC 7672 §2.2). They count only where DNSSEC vouches for the way there: the MX, the addresses and the records
 * themselves; an answer that can't be had is a failure, since an attacker could suppress it (RFC 7672 §2.1.1).
 */
export const daneOf = async (
  resolver: Pick<Resolver, 'tlsa'>,
  domain: string,
  host: PolicyHost,
  signal: AbortSignal,
): Promise<DaneFinding> => {
  if (!host.named || !host.secure) return nothing
  // RFC 7672 §2.2.2: first at the end of an alias, then at its beginning.
  for (const base of host.canonical === undefined ? [host.name] : [host.canonical, host.name]) {
    const answer = await resolver.tlsa(`_${host.port}._tcp.${base}`, signal)
    if (answer.ok && answer.secure) return needOf(base, answer.records, [host.name, domain])
    if (!answer.ok && answer.why !== 'nxdomain' && answer.why !== 'nodata') return { found: 'failure', why: answer.why }
  }
  return nothing
}

const needOf = (base: string, tlsa: readonly Tlsa[], others: readonly string[]): DaneFinding => {
  // RFC 7672 §3.2.2 says which names a certificate may bear; the first is sent as SNI (RFC 7672 §8.1).
  const names = [...new Set([base, ...others])]
  const usable = tlsa.some(usableTlsa)
  const need: TlsNeed = usable
    ? { level: 'dane', names, tlsa, because: 'dane' }
    : { level: 'encrypt', names, because: 'dane' }
  return { found: 'need', need, usable, tlsa }
}
