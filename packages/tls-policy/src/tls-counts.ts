/** What went wrong with TLS towards a domain, in the words of RFC 8460 §4.3. */
export type TlsFailure =
  | 'starttls-not-supported'
  | 'certificate-host-mismatch'
  | 'certificate-expired'
  | 'certificate-not-trusted'
  | 'validation-failure'
  | 'tlsa-invalid'
  | 'dnssec-invalid'
  | 'sts-policy-fetch-error'
  | 'sts-policy-invalid'
  | 'sts-webpki-invalid'

/** A policy by which sessions went (RFC 8460 §4.2). */
export type ReportedPolicy = {
  readonly type: 'sts' | 'tlsa' | 'no-policy-found'
  /** The recipients' domain; of `tlsa` the TLSA base domain. */
  readonly domain: string
  /** The lines of an MTA-STS policy, or TLSA records in presentation form. */
  readonly strings: readonly string[]
  /** The patterns of an MTA-STS policy. */
  readonly mx: readonly string[]
}
/** Sessions that failed alike. */
export type FailureCount = {
  readonly type: TlsFailure
  readonly host: string
  readonly ip: string
  /** Of the first of them. */
  readonly reason: string
  readonly count: number
}
/** Sessions of one policy. Plain data, so that it can be kept as JSON. */
export type PolicyCount = {
  readonly policy: ReportedPolicy
  readonly succeeded: number
  readonly failed: number
  readonly failures: readonly FailureCount[]
}

/** Of one domain in one day. What is beyond them is left out, failures from the details only. */
const MOST_POLICIES = 16
const MOST_FAILURES = 100

const samePolicy = (a: ReportedPolicy, b: ReportedPolicy): boolean =>
  a.type === b.type && a.domain === b.domain && a.strings.join('\n') === b.strings.join('\n')

const withFailures = (all: readonly FailureCount[], more: readonly FailureCount[]): readonly FailureCount[] => {
  const sum = [...all]
  for (const one of more) {
    const at = sum.findIndex(({ type, host, ip }) => type === one.type && host === one.host && ip === one.ip)
    const known = sum[at]
    if (known !== undefined) sum[at] = { ...known, count: known.count + one.count }
    else if (sum.length < MOST_FAILURES) sum.push(one)
  }
  return sum
}

/** The sum of what was counted in two places, of one domain and day. */
export const sumOf = (all: readonly PolicyCount[], more: readonly PolicyCount[]): readonly PolicyCount[] => {
  const sum = [...all]
  for (const one of more) {
    const at = sum.findIndex(({ policy }) => samePolicy(policy, one.policy))
    const known = sum[at]
    if (known !== undefined)
      sum[at] = {
        policy: known.policy,
        succeeded: known.succeeded + one.succeeded,
        failed: known.failed + one.failed,
        failures: withFailures(known.failures, one.failures),
      }
    else if (sum.length < MOST_POLICIES) sum.push(one)
  }
  return sum
}
