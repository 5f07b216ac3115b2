import type { Job, Outcome, TlsNeed } from '@posthorn/contracts'
import type { Exchange } from '@posthorn/dns'
import { parseHeaders } from '@posthorn/message'
import { tlsReporter } from '@posthorn/tls-policy'
import type { TlsPolicies } from '@posthorn/tls-policy'
import { splitMessage } from './head.ts'

/** On what terms one exchanger of a domain may be spoken to for one job; or what becomes of the job there. */
export type Terms = { readonly need: TlsNeed } | { readonly outcome: Outcome }

/** Header sections beyond this are not searched for a wish. */
const MOST_HEAD = 1_048_576

/** The sender would rather have the message read by others than not arrive (RFC 8689 §5). */
const asksForNoTls = async ({ body }: Job, signal: AbortSignal): Promise<boolean> => {
  const { head } = await splitMessage(body, MOST_HEAD, signal)
  return parseHeaders(head).first('tls-required')?.trim().toLowerCase() === 'no'
}

/** RFC 8689 §4.2.1: the certificate must be verified; DANE does that already. */
export const required = (need: TlsNeed): TlsNeed =>
  need.level === 'verify' || need.level === 'dane' ? need : { ...need, level: 'verify', because: 'requiretls' }

/** Why a message that asks for REQUIRETLS cannot go (RFC 8689 §4.2.1; RFC 8689 §6 registers X.7.30). */
export const insecureRoute: Outcome = {
  fate: 'failed',
  phase: 'route',
  cause: 'REQUIRETLS: neither the DNS nor an MTA-STS policy vouches for the mail exchangers',
  status: '5.7.30',
}

/** What the policies of the domain ask, unless the message asks for something else. `named`: DNSSEC vouches for the MX. */
export const termsOf = async (
  job: Job,
  at: { readonly domain: string; readonly exchange: Exchange; readonly port: number; readonly named: boolean },
  policies: TlsPolicies,
  signal: AbortSignal,
): Promise<Terms> => {
  const { name, secure, canonical } = at.exchange
  const inspite: Terms = { need: { level: 'may', names: [name], because: 'tls-required-no' } }
  // RFC 8460 §3: a report on TLS arrives also where TLS is broken.
  if (job.envelope.origin === 'api' && job.envelope.user === tlsReporter) return inspite
  const host = {
    name,
    port: at.port,
    named: at.named,
    secure,
    ...(canonical === undefined ? undefined : { canonical }),
  }
  const policy = await policies.forHost(at.domain, host, { tries: job.tries ?? 0, signal })
  if (job.envelope.requireTls) {
    if (!policy.ok) return policy
    return policy.vouched ? { need: required(policy.need) } : { outcome: insecureRoute }
  }
  // What the operator configured is no wish of the recipient's, and stays.
  const isWish = !policy.ok || policy.need.because === 'dane' || policy.need.because === 'mta-sts'
  return isWish && (await asksForNoTls(job, signal)) ? inspite : policy
}
