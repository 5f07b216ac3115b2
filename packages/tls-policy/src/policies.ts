import type { Awaitable, Clock, Journal, KeyValue, Outcome, Resolver, Tlsa, TlsNeed } from '@posthorn/contracts'
import { daneOf } from './dane.ts'
import { Sts } from './sts.ts'
import type { FetchPolicy } from './sts-fetch.ts'
import { namesHost, type StsPolicy } from './sts-policy.ts'
import type { ReportedPolicy } from './tls-counts.ts'
import type { Evaluated, TlsSessions } from './tls-sessions.ts'

/** A mail exchanger of a domain, as far as policies look at it. */
export interface PolicyHost {
  readonly name: string
  readonly port: number
  /** DNSSEC vouches that it is one of the domain's. */
  readonly named: boolean
  /** DNSSEC vouches for its addresses. */
  readonly secure: boolean
  /** Where an alias led to. */
  readonly canonical?: string
}

/** What TLS towards a host must achieve; or why nothing may be sent there now. */
export type HostPolicy =
  | {
      readonly ok: true
      readonly need: TlsNeed
      /** Somebody who can be believed says that it is an exchanger of the domain. */
      readonly vouched: boolean
    }
  | { readonly ok: false; readonly outcome: Outcome }

/** The policies of other people's domains. */
export interface TlsPolicies {
  /** At once when it was asked a moment ago. `tries`: attempts before this one. Rejects only with the signal's reason. */
  forHost(
    domain: string,
    host: PolicyHost,
    o: { readonly tries: number; readonly signal: AbortSignal },
  ): Awaitable<HostPolicy>
}

export interface TlsPoliciesOptions {
  readonly resolver: Pick<Resolver, 'txt' | 'tlsa'>
  readonly clock: Clock
  readonly journal?: Journal
  /** Look for TLSA records (RFC 7672). */
  readonly dane: boolean
  /** Look for MTA-STS policies (RFC 8461). */
  readonly mtaSts?: { readonly kv: KeyValue; readonly fetchPolicy: FetchPolicy }
  /** What the operator says instead, by domain; `*.example.org` stands for all below it. */
  readonly domains?: Readonly<Record<string, 'never' | 'may' | 'encrypt' | 'verify'>>
  /** Told where each need came from, for reports to the domains (RFC 8460). */
  readonly sessions?: Pick<TlsSessions, 'know' | 'noPolicy'>
}

/** An answer is asked for again after this; the resolver keeps its own for as long as their owners allow. */
const REMEMBERED_MS = 60_000
const MOST_REMEMBERED = 10_000
/**
 * So many attempts wait for a DNS that can't say whether there is a policy; after them mail goes as though there were none (RFC 8461
 * §5.1), since some servers never answer for names that they don't know.
 */
const PATIENCE = 3
/** Lines of a policy that a report repeats. */
const MOST_SHOWN = 20

const deferred = (phase: 'dns' | 'tls', cause: string, status: string, tlsPolicy: string): HostPolicy => ({
  ok: false,
  outcome: { fate: 'deferred', phase, cause, status, tlsPolicy },
})

class Policies implements TlsPolicies {
  readonly #o: TlsPoliciesOptions
  readonly #sts: Sts | undefined
  /** Oldest first. */
  readonly #known = new Map<string, { readonly policy: HostPolicy; readonly until: number }>()

  constructor(o: TlsPoliciesOptions) {
    this.#o = o
    this.#sts =
      o.mtaSts === undefined
        ? undefined
        : new Sts({
            ...o,
            ...o.mtaSts,
            ...(o.sessions && { onFailure: (domain, type, why) => o.sessions?.noPolicy(domain, type, why) }),
          })
  }

  forHost(
    domain: string,
    host: PolicyHost,
    o: { readonly tries: number; readonly signal: AbortSignal },
  ): Awaitable<HostPolicy> {
    const key = `${domain} ${host.name} ${host.port} ${host.named} ${host.secure} ${host.canonical}`
    const known = this.#known.get(key)
    if (known !== undefined && this.#o.clock.monotonic() < known.until) return known.policy
    return this.#remembered(key, this.#look(domain, host, o))
  }
  async #remembered(key: string, looking: Promise<HostPolicy>): Promise<HostPolicy> {
    const policy = await looking
    this.#known.delete(key)
    // What can't be known now may be known at the next attempt.
    if (!policy.ok && policy.outcome.phase === 'dns') return policy
    if (this.#known.size >= MOST_REMEMBERED)
      for (const oldest of this.#known.keys()) if (this.#known.delete(oldest)) break
    this.#known.set(key, { policy, until: this.#o.clock.monotonic() + REMEMBERED_MS })
    return policy
  }

  async #look(
    domain: string,
    host: PolicyHost,
    { tries, signal }: { readonly tries: number; readonly signal: AbortSignal },
  ): Promise<HostPolicy> {
    const level = this.#configured(domain)
    if (level !== undefined)
      return { ok: true, need: { level, names: [host.name], because: 'configuration' }, vouched: host.named }
    const at = { domain, host: host.name }
    const dane = this.#o.dane ? await daneOf(this.#o.resolver, domain, host, signal) : undefined
    if (dane?.found === 'failure')
      return this.#told(
        deferred('dns', `the TLSA records of ${host.name} cannot be looked up now (${dane.why})`, '4.7.5', 'dane'),
        { ...at, policy: tlsaPolicy(host.name, []), fault: { type: 'dnssec-invalid', reason: dane.why } },
      )
    // RFC 8461 §2: MTA-STS must not stand above a DANE that fails.
    const byDane = dane?.found === 'need' ? tlsaPolicy(dane.need.names[0] ?? host.name, dane.tlsa) : undefined
    if (dane?.found === 'need' && dane.usable && byDane !== undefined)
      return this.#told({ ok: true, need: dane.need, vouched: true }, { ...at, policy: byDane })
    const sts = await this.#sts?.find(domain, signal)
    if (sts === 'unknown' && tries < PATIENCE)
      return deferred('dns', `the DNS cannot say whether ${domain} has an MTA-STS policy`, '4.4.3', 'mta-sts')
    const known = sts === undefined || sts === 'unknown' || sts.mode === 'none' ? undefined : sts
    const isNamed = known !== undefined && namesHost(known, host.name)
    const bySts: Evaluated | undefined = known && {
      ...at,
      policy: stsPolicy(domain, known),
      ...(!isNamed && { fault: { type: 'validation-failure', reason: 'the policy does not name the exchanger' } }),
    }
    if (bySts !== undefined && known?.mode === 'enforce') return this.#told(enforced(domain, host, isNamed), bySts)
    // RFC 7672 §2.2: TLSA records of which none can be used ask for encryption all the same.
    if (dane?.found === 'need' && byDane !== undefined)
      return this.#told(
        { ok: true, need: dane.need, vouched: true },
        { ...at, policy: byDane, fault: { type: 'tlsa-invalid', reason: 'no TLSA record can be used' } },
      )
    const because = bySts === undefined ? 'opportunistic' : 'mta-sts-testing'
    return this.#told(
      { ok: true, need: { level: 'may', names: [host.name], because }, vouched: host.named },
      bySts ?? { ...at, policy: { type: 'no-policy-found', domain, strings: [], mx: [] } },
    )
  }
  #told(answer: HostPolicy, from: Evaluated): HostPolicy {
    this.#o.sessions?.know(answer.ok ? answer.need : answer.outcome, from)
    return answer
  }
  #configured(domain: string): TlsNeed['level'] | undefined {
    const { domains } = this.#o
    if (domains === undefined) return undefined
    if (Object.hasOwn(domains, domain)) return domains[domain]
    for (let at = domain.indexOf('.'); at >= 0; at = domain.indexOf('.', at + 1)) {
      const above = `*${domain.slice(at)}`
      if (Object.hasOwn(domains, above)) return domains[above]
    }
    return undefined
  }
}

const stsPolicy = (domain: string, { mode, mx, maxAge }: StsPolicy): ReportedPolicy => ({
  type: 'sts',
  domain,
  strings: [
    'version: STSv1',
    `mode: ${mode}`,
    ...mx.slice(0, MOST_SHOWN).map(host => `mx: ${host}`),
    `max_age: ${maxAge}`,
  ],
  mx: mx.slice(0, MOST_SHOWN),
})
/** RFC 8460 §4.2: the policy's domain is the TLSA base domain. */
const tlsaPolicy = (domain: string, records: readonly Tlsa[]): ReportedPolicy => ({
  type: 'tlsa',
  domain,
  strings: records
    .slice(0, MOST_SHOWN)
    .map(r => `${r.usage} ${r.selector} ${r.matching} ${Buffer.from(r.data).toString('hex').slice(0, 1024)}`),
  mx: [],
})

const enforced = (domain: string, host: PolicyHost, named: boolean): HostPolicy =>
  named
    ? { ok: true, need: { level: 'verify', names: [host.name], because: 'mta-sts' }, vouched: true }
    : deferred('tls', `the MTA-STS policy of ${domain} does not name ${host.name}`, '4.7.5', 'mta-sts')

/** The policies of other people's domains: what the operator says of them, DANE, MTA-STS, or else encryption where it is offered. */
export const createTlsPolicies = (o: TlsPoliciesOptions): TlsPolicies => new Policies(o)
