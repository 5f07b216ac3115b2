import { createHash, type X509Certificate } from 'node:crypto'
import type { Tlsa } from '@posthorn/contracts'

const DIGEST_BYTES: Readonly<Record<number, number>> = { 1: 32, 2: 64 }

/**
 * Whether SMTP can use the record: DANE-TA(2) or DANE-EE(3), a known selector and matching type, data of the right length.
 * RFC 7672 §3.1.3 makes PKIX-TA(0) and PKIX-EE(1) unusable.
 */
export const usableTlsa = ({ usage, selector, matching, data }: Tlsa): boolean =>
  (usage === 2 || usage === 3) &&
  (selector === 0 || selector === 1) &&
  (matching === 0 ? data.length > 0 : DIGEST_BYTES[matching] === data.length)

const selected = (certificate: X509Certificate, selector: number): Buffer =>
  selector === 0 ? certificate.raw : certificate.publicKey.export({ type: 'spki', format: 'der' })

const matches = (certificate: X509Certificate, { selector, matching, data }: Tlsa): boolean => {
  const bytes = selected(certificate, selector)
  if (matching === 0) return bytes.equals(data)
  return createHash(matching === 1 ? 'sha256' : 'sha512')
    .update(bytes)
    .digest()
    .equals(data)
}

const current = (certificate: X509Certificate, now: number): boolean =>
  now >= certificate.validFromDate.getTime() && now <= certificate.validToDate.getTime()

/** Whether every certificate up to `anchor` is issued and signed by the next, and in its time. */
const leadsTo = (chain: readonly X509Certificate[], anchor: number, now: number): boolean => {
  for (let i = 0; i < anchor; i++) {
    const [subject, issuer] = [chain[i], chain[i + 1]]
    if (subject === undefined || issuer === undefined || !issuer.ca) return false
    if (!current(subject, now) || !subject.checkIssued(issuer) || !subject.verify(issuer.publicKey)) return false
  }
  return true
}

/**
 * Whether the peer's chain, leaf first, meets one of the usable records; the reason when it does not.
 * With DANE-EE neither names nor dates count (RFC 7672 §3.1.1); with DANE-TA `nameMatches` must hold for the leaf (§3.1.2).
 */
export const daneFault = (
  chain: readonly X509Certificate[],
  records: readonly Tlsa[],
  nameMatches: boolean,
  now: number,
): string | undefined => {
  const leaf = chain[0]
  if (leaf === undefined) return 'the peer showed no certificate'
  let why = 'no TLSA record matches the certificate'
  for (const record of records) {
    if (record.usage === 3) {
      if (matches(leaf, record)) return undefined
      continue
    }
    const anchor = chain.findIndex((certificate, depth) => depth > 0 && matches(certificate, record))
    if (anchor < 0) continue
    if (!leadsTo(chain, anchor, now)) why = 'the chain does not lead to the trust anchor of the TLSA record'
    else if (!nameMatches) why = 'the certificate bears none of the expected names'
    else return undefined
  }
  return why
}
