import type { Clock, Outcome, TlsFacts, TlsNeed } from '@posthorn/contracts'
import { sumOf, type PolicyCount, type ReportedPolicy, type TlsFailure } from './tls-counts.ts'

/** What a need, or a refusal to send, came from. */
export interface Evaluated {
  /** The recipients'. */
  readonly domain: string
  readonly host: string
  readonly policy: ReportedPolicy
  /** What is wrong already before anything is dialled. */
  readonly fault?: { readonly type: TlsFailure; readonly reason: string }
}
/** What was counted for one domain on one day (UTC, such as `2026-11-22`). */
export interface DomainCounts {
  readonly day: string
  readonly domain: string
  readonly counts: readonly PolicyCount[]
}

/** As the user of a message: it is a report, which goes whatever becomes of TLS and is not itself counted (RFC 8460 §3). */
export const tlsReporter = '.tls-reports'

/** Domains of a day between two `take`; sessions with more of them are not counted. */
const MOST_DOMAINS = 10_000

/** The day of a wall time, in UTC. */
export const dayOf = (wall: number): string => new Date(wall).toISOString().slice(0, 10)

const typeOf = (reason: string): TlsFailure => {
  if (reason.includes('not offered')) return 'starttls-not-supported'
  if (reason.includes('bears none of the names')) return 'certificate-host-mismatch'
  if (reason.includes('CERT_HAS_EXPIRED')) return 'certificate-expired'
  return reason.includes('the certificate is not trusted') ? 'certificate-not-trusted' : 'validation-failure'
}

/**
 * Counts the TLS sessions with other people's exchangers, by day, domain and policy (RFC 8460 §4). Needs that no policy of the domain
 * asked for, such as those of the operator, are not known here and do not count.
 */
export class TlsSessions {
  readonly #clock: Pick<Clock, 'wall'>
  readonly #known = new WeakMap<TlsNeed | Outcome, Evaluated>()
  #days = new Map<string, Map<string, readonly PolicyCount[]>>()

  constructor(clock: Pick<Clock, 'wall'>) {
    this.#clock = clock
  }

  /** Say what a need or a refusal came from; it is known by its identity. */
  know(of: TlsNeed | Outcome, from: Evaluated): void {
    this.#known.set(of, from)
  }

  /** A new connection, with what is known of its TLS, or why there is none (`fault`). */
  session(
    need: TlsNeed,
    { ip, tls, fault }: { readonly ip?: string; readonly tls?: TlsFacts; readonly fault?: string },
  ): void {
    const from = this.#known.get(need)
    if (from === undefined) return
    if (fault !== undefined) return this.#failed(from, typeOf(fault), fault, ip)
    if (tls === undefined) return this.#failed(from, 'starttls-not-supported', 'STARTTLS was not offered', ip)
    if (from.fault !== undefined) return this.#failed(from, from.fault.type, from.fault.reason, ip)
    // A policy in testing asks for what is not enforced.
    if (from.policy.type === 'sts' && !tls.authorized) {
      const why = tls.why ?? 'the certificate is not trusted'
      return this.#failed(from, typeOf(why), why, ip)
    }
    this.#add(from.domain, { policy: from.policy, succeeded: 1, failed: 0, failures: [] })
  }

  /** Nothing was dialled, since the policy forbids it. */
  refused(outcome: Outcome): void {
    const from = this.#known.get(outcome)
    if (from?.fault !== undefined) this.#failed(from, from.fault.type, from.fault.reason)
  }

  /** The MTA-STS policy of a domain could not be had. */
  noPolicy(domain: string, type: TlsFailure, reason: string): void {
    this.#failed({ domain, host: '', policy: { type: 'sts', domain, strings: [], mx: [] } }, type, reason)
  }

  /** All that was counted since the last time; it is forgotten here. */
  take(): readonly DomainCounts[] {
    const days = this.#days
    this.#days = new Map()
    return [...days].flatMap(([day, domains]) => [...domains].map(([domain, counts]) => ({ day, domain, counts })))
  }

  /** Count again what was taken and could not be kept. */
  putBack({ day, domain, counts }: DomainCounts): void {
    const domains = this.#days.get(day) ?? new Map<string, readonly PolicyCount[]>()
    this.#days.set(day, domains)
    const known = domains.get(domain)
    if (known !== undefined || domains.size < MOST_DOMAINS) domains.set(domain, sumOf(known ?? [], counts))
  }

  #failed({ domain, host, policy }: Evaluated, type: TlsFailure, why: string, ip = ''): void {
    const reason = why.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 200)
    this.#add(domain, { policy, succeeded: 0, failed: 1, failures: [{ type, host, ip, reason, count: 1 }] })
  }
  #add(domain: string, count: PolicyCount): void {
    this.putBack({ day: dayOf(this.#clock.wall()), domain, counts: [count] })
  }
}
