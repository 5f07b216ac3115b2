import type { FailureCount, PolicyCount } from './tls-counts.ts'

/** Where a domain wants reports, from the TXT records at `_smtp._tls` (RFC 8460 §3): the addresses of its `mailto:` URIs, ten at most. */
export const reportAddresses = (records: readonly string[]): readonly string[] => {
  const ours = records.filter(text => /^v=TLSRPTv1[\t ]*;/.test(text))
  // Of several none counts.
  if (ours.length !== 1) return []
  const rua = (ours[0] ?? '').split(';').flatMap(field => /^[\t ]*rua[\t ]*=(.*)$/.exec(field)?.[1] ?? [])[0] ?? ''
  return rua
    .split(',')
    .flatMap(uri => addressOf(uri.trim()))
    .slice(0, 10)
}

const addressOf = (uri: string): readonly string[] => {
  const [, path] = /^mailto:([^?]+)/i.exec(uri) ?? []
  if (path === undefined) return []
  try {
    return [decodeURIComponent(path)]
  } catch {
    return []
  }
}

/** What a report is made from. */
export interface TlsReport {
  /** In UTC, such as `2026-11-22`. */
  readonly day: string
  readonly organization: string
  /** An address for people. */
  readonly contact: string
  readonly id: string
  readonly counts: readonly PolicyCount[]
}

const policyOf = ({ policy, succeeded, failed, failures }: PolicyCount): object => ({
  policy: {
    'policy-type': policy.type,
    ...(policy.strings.length > 0 && { 'policy-string': policy.strings }),
    'policy-domain': policy.domain,
    ...(policy.mx.length > 0 && { 'mx-host': policy.mx }),
  },
  summary: { 'total-successful-session-count': succeeded, 'total-failure-session-count': failed },
  ...(failures.length > 0 && { 'failure-details': failures.map(failureOf) }),
})
const failureOf = ({ type, host, ip, reason, count }: FailureCount): object => ({
  'result-type': type,
  ...(host !== '' && { 'receiving-mx-hostname': host }),
  ...(ip !== '' && { 'receiving-ip': ip }),
  'failed-session-count': count,
  'failure-reason-code': reason,
})

/** A report as RFC 8460 §4.4 has it. The addresses that we sent from are not in it. */
export const tlsReportJson = ({ day, organization, contact, id, counts }: TlsReport): string =>
  JSON.stringify({
    'organization-name': organization,
    'date-range': { 'start-datetime': `${day}T00:00:00Z`, 'end-datetime': `${day}T23:59:59Z` },
    'contact-info': contact,
    'report-id': id,
    policies: counts.map(policyOf),
  })

/** The name of a report's file (RFC 8460 §5.1). */
export const tlsReportFile = (o: {
  readonly submitter: string
  readonly domain: string
  readonly day: string
  readonly id: string
}): string => {
  const start = Date.parse(`${o.day}T00:00:00Z`) / 1000
  return `${o.submitter}!${o.domain}!${start}!${start + 86_399}!${o.id}.json.gz`
}
