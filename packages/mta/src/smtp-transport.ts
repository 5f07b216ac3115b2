import type {
  CertificatePair,
  Envelope,
  Job,
  NewRecipient,
  Outcome,
  Random,
  Resolver,
  Route,
  TlsNeed,
  Transport,
} from '@posthorn/contracts'
import type { Credentials, Mail, SmtpClient, Target } from '@posthorn/smtp-client'
import { outgoingTls } from '@posthorn/tls-policy'
import type { TlsPolicies, TlsSessions } from '@posthorn/tls-policy'
import { exchangeNames, hopsOf } from './hops.ts'
import type { Hop, HopsOptions } from './hops.ts'
import type { Reach } from './sites.ts'
import { Tally } from './tally.ts'
import { insecureRoute, required, termsOf } from './terms.ts'

export interface SmtpTransportOptions {
  readonly client: Pick<SmtpClient, 'send'>
  readonly resolver: Resolver
  /** Ourselves, so that mail which would come back is not sent. */
  readonly self: { readonly names: readonly string[]; readonly addresses: readonly string[] }
  readonly random: Random
  /** The secret behind a credential's name in a route. */
  readonly credentials?: (name: string) => Credentials | undefined
  /** Whom to trust (PEM) instead of the system's authorities at a host that a route names. */
  readonly authorities?: (host: string, port: number) => readonly string[] | undefined
  /** Our certificate for a host that a route names and that asks for one; no other host is shown one. */
  readonly certificate?: (host: string, port: number) => CertificatePair | undefined
  /** Of mail exchangers; when absent they are encrypted opportunistically. */
  readonly policies?: TlsPolicies
  /** Told of exchangers that a policy forbids. */
  readonly sessions?: Pick<TlsSessions, 'refused'>
  /** Of mail exchangers; 25 when absent. */
  readonly port?: number
  /** Addresses tried in one attempt, over all hosts; 10 when absent. */
  readonly addresses?: number
  /** Recipients of one transaction; 100 when absent (RFC 5321 §4.5.3.1.8). */
  readonly recipients?: number
  /** Whether mail exchangers may have this address; when absent not loopback, unspecified, link-local or multicast ones. */
  readonly allow?: (ip: string) => boolean
}

/** A transport that knows where a domain's mail goes. */
export interface SmtpTransport extends Transport {
  /** Asks for the exchangers and for what the domain asks of TLS; the addresses are looked up at each attempt. Rejects only with the signal's reason. */
  reach(domain: string, signal: AbortSignal): Promise<Reach>
}

/** Delivers over the network, by MX or to a host that the route names: one attempt asks one host after the other. */
export const createSmtpTransport = (o: SmtpTransportOptions): SmtpTransport => {
  const hops: HopsOptions = {
    resolver: o.resolver,
    self: o.self,
    random: o.random,
    port: o.port ?? 25,
    most: o.addresses ?? 10,
    ...(o.allow === undefined ? undefined : { allow: o.allow }),
  }
  const targets: Targets = new WeakMap()
  return {
    deliver: (job, signal) => new Delivery({ options: o, hops, targets }, job).run(signal),
    reach: async (domain, signal) => {
      const mx = await exchangeNames(o.resolver, domain, signal)
      const [name] = mx
      if (name === undefined || o.policies === undefined)
        return { mx, tls: outgoingTls({ via: 'mx', domain }, mx).level }
      // What the domain asks of its hosts; what a host asks (DANE) is the same for all that lead to it.
      const host = { name, port: hops.port, named: false, secure: false }
      const policy = await o.policies.forHost(domain, host, { tries: 0, signal })
      return { mx, tls: policy.ok ? `${policy.need.level} (${policy.need.because})` : 'unknown' }
    },
  }
}

type Targets = WeakMap<Route, Map<string, Target>>

/** One attempt at one job. */
class Delivery {
  readonly #o: SmtpTransportOptions
  readonly #hops: HopsOptions
  readonly #job: Job
  readonly #targets: Targets
  readonly #tally: Tally

  constructor(o: { options: SmtpTransportOptions; hops: HopsOptions; targets: Targets }, job: Job) {
    this.#o = o.options
    this.#hops = o.hops
    this.#targets = o.targets
    this.#job = job
    this.#tally = new Tally(job.recipients.length)
  }

  async run(signal: AbortSignal): Promise<readonly Outcome[]> {
    let otherwise = unreached
    try {
      const found = await hopsOf(this.#job.route, this.#hops, signal)
      if (!found.ok) return this.#tally.outcomes(found.outcome)
      if (this.#job.envelope.requireTls && !found.secure && this.#o.policies === undefined)
        return this.#tally.outcomes(insecureRoute)
      for (const hop of found.hops) {
        if (this.#tally.open.length === 0 || signal.aborted || !this.#job.stillOurs()) break
        await this.#toHop(hop, found.secure, signal)
      }
    } catch (error) {
      // The one place of this package's transport where an unknown exception becomes a deferral.
      otherwise = { ...unreached, cause: error instanceof Error ? error.message : String(error) }
    }
    return this.#tally.outcomes(otherwise)
  }

  /** Send what is open to one address, a hundred recipients at a time. */
  async #toHop(hop: Hop, named: boolean, signal: AbortSignal): Promise<void> {
    const { policies } = this.#o
    const { route } = this.#job
    let need: TlsNeed | undefined
    if (policies !== undefined && route.via === 'mx' && hop.exchange !== undefined) {
      const at = { domain: route.domain, exchange: hop.exchange, port: hop.port, named }
      const terms = await termsOf(this.#job, at, policies, signal)
      if ('outcome' in terms) {
        this.#o.sessions?.refused(terms.outcome)
        return this.#noteAll(this.#tally.open, terms.outcome)
      }
      need = terms.need
    }
    const target = this.#targetOf(hop, need)
    if (target === undefined) return this.#noteAll(this.#tally.open, noCredentials)
    const most = this.#o.recipients ?? 100
    let left = this.#tally.open
    // Every turn takes at least one recipient out of `left`.
    while (left.length > 0 && !signal.aborted && this.#job.stillOurs()) {
      const chunk = left.slice(0, most)
      const outcomes = await this.#send(chunk, target, signal)
      const again = tooMany(chunk, outcomes)
      chunk.forEach((index, i) => {
        if (!again.has(index)) this.#tally.note(index, outcomes[i] ?? unreached)
      })
      left = [...left.slice(most), ...again]
      // Nobody is there: the rest of the recipients need not find that out one hundred at a time.
      if (outcomes.every(isHostDown)) return this.#noteAll(left, outcomes[0] ?? unreached)
    }
  }

  /** Once, and once more in clear when TLS was only an opportunity and failed (RFC 7435; never for REQUIRETLS). */
  async #send(chunk: readonly number[], target: Target, signal: AbortSignal): Promise<readonly Outcome[]> {
    const mail = this.#mailFor(chunk)
    const outcomes = await this.#o.client.send(mail, target, signal)
    const inClear =
      target.tls.level === 'may' &&
      outcomes.length > 0 &&
      outcomes.every(outcome => outcome.phase === 'tls' && outcome.fate === 'deferred') &&
      !signal.aborted &&
      this.#job.stillOurs()
    if (!inClear) return outcomes
    const tls: TlsNeed = { ...target.tls, level: 'never' }
    return this.#o.client.send(mail, { ...target, tls }, signal)
  }

  #noteAll(indexes: readonly number[], outcome: Outcome): void {
    for (const index of indexes) this.#tally.note(index, outcome)
  }

  #mailFor(chunk: readonly number[]): Mail {
    const { id, envelope, recipients, returnPath, body, arrived, warned = arrived, priority = 0, stillOurs } = this.#job
    // What the author asked for ended with the list (RFC 3461 §5.2.7.1).
    const fromList = recipients.every(recipient => recipient.returnPath !== undefined)
    const { envid, ret, deliverBy }: Pick<Envelope, 'envid' | 'ret' | 'deliverBy'> = fromList ? {} : envelope
    return {
      id,
      returnPath,
      // Mostly all of them, at the first host.
      recipients:
        chunk.length === recipients.length ? recipients : chunk.map(index => recipients[index] as NewRecipient),
      body,
      smtputf8: envelope.smtputf8,
      eightBit: envelope.body,
      requireTls: envelope.requireTls,
      stillOurs,
      // The queue's smaller is the wire's greater.
      ...(priority === 0 ? undefined : { priority: -priority }),
      ...(envid === undefined ? undefined : { envid }),
      ...(ret === undefined ? undefined : { ret }),
      ...(deliverBy === undefined ? undefined : { deliverBy: { ...deliverBy, told: warned >= deliverBy.at } }),
    }
  }

  /** Undefined when the route names a credential that is not configured. `need`: what policies ask; without it, what the route does. */
  #targetOf(hop: Hop, need: TlsNeed | undefined): Target | undefined {
    const { route, egress, envelope } = this.#job
    const named = route.via === 'smtp' || route.via === 'lmtp' ? route : undefined
    if (named?.credentials !== undefined || egress !== undefined || envelope.requireTls)
      return this.#newTarget(hop, need)
    // The client finds its connections sooner by a target that it has seen before.
    const known = this.#targets.get(route) ?? new Map<string, Target>()
    this.#targets.set(route, known)
    const key = hop.path ?? `${hop.ip} ${hop.host}`
    const before = known.get(key)
    if (before !== undefined && (need === undefined || before.tls === need)) return before
    const target = this.#newTarget(hop, need)
    if (target !== undefined && (before !== undefined || known.size < targetsPerRoute)) known.set(key, target)
    return target
  }

  #newTarget({ host, ip, port, path }: Hop, asked: TlsNeed | undefined): Target | undefined {
    const { route, egress, envelope } = this.#job
    const named = route.via === 'smtp' || route.via === 'lmtp' ? route : undefined
    const secret = named?.credentials === undefined ? undefined : this.#o.credentials?.(named.credentials)
    if (named?.credentials !== undefined && secret === undefined) return undefined
    const ca = named === undefined ? undefined : this.#o.authorities?.(host, port)
    const certificate = named === undefined ? undefined : this.#o.certificate?.(host, port)
    const need = asked ?? outgoingTls(route, [host])
    const tls: TlsNeed =
      ca === undefined && certificate === undefined
        ? need
        : { ...need, ...(ca && { ca }), ...(certificate && { certificate }) }
    return {
      protocol: route.via === 'lmtp' ? 'lmtp' : 'smtp',
      host,
      port,
      ...(ip === undefined ? undefined : { ip }),
      ...(path === undefined ? undefined : { path }),
      tls: envelope.requireTls ? required(tls) : tls,
      ...(named?.implicitTls === undefined ? undefined : { implicitTls: named.implicitTls }),
      ...(secret === undefined ? undefined : { credentials: secret }),
      ...egress,
    }
  }
}

/** Targets remembered for one route; a site's route lives as long as the dispatcher knows the site. */
const targetsPerRoute = 32

/** Those that the peer would take in a transaction of their own, since it took others in this one (RFC 5321 §4.5.3.1.10: 452, and 552 of old servers). */
const tooMany = (chunk: readonly number[], outcomes: readonly Outcome[]): ReadonlySet<number> => {
  const again = new Set<number>()
  if (!outcomes.some(({ fate }) => fate === 'relayed' || fate === 'delivered')) return again
  chunk.forEach((index, i) => {
    const outcome = outcomes[i]
    if (outcome?.phase !== 'rcpt') return
    const { code, enhanced = '' } = outcome.reply ?? {}
    if ((code === 452 && (enhanced === '' || enhanced === '4.5.3')) || (code === 552 && /^(5\.5\.3)?$/.test(enhanced)))
      again.add(index)
  })
  return again
}

const isHostDown = ({ fate, phase }: Outcome): boolean =>
  (fate === 'deferred' || fate === 'failed') &&
  (phase === 'connect' || phase === 'banner' || phase === 'ehlo' || phase === 'tls' || phase === 'auth')

const unreached: Outcome = { fate: 'deferred', phase: 'connect', cause: 'no host was reached', status: '4.4.1' }
const noCredentials: Outcome = {
  fate: 'deferred',
  phase: 'route',
  cause: 'the credentials of the next hop are not configured',
  status: '4.3.5',
  notTried: true,
}
