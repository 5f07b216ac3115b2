import type { Clock, Journal, KeyValue, Resolver } from '@posthorn/contracts'
import { parseStsPolicy, restoredPolicy, storedPolicy, stsId, type KnownPolicy, type StsPolicy } from './sts-policy.ts'
import type { FetchPolicy } from './sts-fetch.ts'
import type { TlsFailure } from './tls-counts.ts'

/** RFC 8461 §3.3: one minute for a fetch, and no other for five after one that failed. */
const FETCH_MS = 60_000
const PAUSE_MS = 300_000
/** However long it is good, a policy is looked at again after a day, and when half of its time is over. */
const DAY_MS = 86_400_000
/** Domains whose failures are remembered. */
const MOST_FAILURES = 10_000

export interface StsOptions {
  readonly resolver: Pick<Resolver, 'txt'>
  /** Where policies outlive the process. */
  readonly kv: KeyValue
  readonly fetchPolicy: FetchPolicy
  readonly clock: Clock
  readonly journal?: Journal
  /** Told of each policy that could not be had. */
  readonly onFailure?: (domain: string, type: TlsFailure, why: string) => void
}

const isAged = ({ policy, fetched }: KnownPolicy, now: number): boolean =>
  now - fetched > Math.min(policy.maxAge * 500, DAY_MS) || fetched > now

/** The MTA-STS policies of other domains (RFC 8461): found, fetched, remembered for as long as they ask, and renewed. */
export class Sts {
  readonly #o: StsOptions
  readonly #flights = new Map<string, Promise<KnownPolicy | undefined>>()
  /** By domain: the id whose policy could not be had, and until when it is not asked for again (monotonic). */
  readonly #failures = new Map<string, { readonly id: string; readonly until: number }>()

  constructor(o: StsOptions) {
    this.#o = o
  }

  /** What counts for a domain now. `unknown`: the DNS can't say, and nothing is remembered. Rejects only with the signal's reason. */
  async find(domain: string, signal: AbortSignal): Promise<StsPolicy | 'unknown' | undefined> {
    const { kv, resolver, clock } = this.#o
    const known = restoredPolicy(await kv.get(domain))
    const txt = await resolver.txt(`_mta-sts.${domain}`, signal)
    const id = txt.ok ? stsId(txt.records) : undefined
    if (id === undefined) {
      // Who can take away the record could take away the policy: what was remembered stays (RFC 8461 §10.2).
      if (known !== undefined) return known.policy
      return txt.ok || txt.why === 'nxdomain' || txt.why === 'nodata' ? undefined : 'unknown'
    }
    if (known?.id === id && !isAged(known, clock.wall())) return known.policy
    return (await this.#renewed(domain, id, signal))?.policy ?? known?.policy
  }

  /** One fetch for all that wait for it. */
  async #renewed(domain: string, id: string, signal: AbortSignal): Promise<KnownPolicy | undefined> {
    const failure = this.#failures.get(domain)
    if (failure?.id === id && this.#o.clock.monotonic() < failure.until) return undefined
    let flight = this.#flights.get(domain)
    if (flight === undefined) {
      flight = this.#fetch(domain, id).finally(() => this.#flights.delete(domain))
      this.#flights.set(domain, flight)
    }
    return unlessAborted(flight, signal)
  }
  async #fetch(domain: string, id: string): Promise<KnownPolicy | undefined> {
    const { clock, kv, fetchPolicy } = this.#o
    const deadline = clock.deadline(FETCH_MS)
    try {
      const policy = parseStsPolicy(await fetchPolicy(domain, deadline.signal))
      if (typeof policy === 'string') return this.#noteFailure(domain, id, 'sts-policy-invalid', policy)
      const known = { policy, id, fetched: clock.wall() }
      // A policy of age 0 is over at once; it counts for what waits for it.
      if (policy.maxAge > 0) await kv.set(domain, storedPolicy(known), policy.maxAge * 1000)
      else await kv.delete(domain)
      this.#failures.delete(domain)
      return known
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      return this.#noteFailure(
        domain,
        id,
        isCertificateError(error) ? 'sts-webpki-invalid' : 'sts-policy-fetch-error',
        why,
      )
    } finally {
      deadline.clear()
    }
  }
  #noteFailure(domain: string, id: string, type: TlsFailure, why: string): undefined {
    const { clock, journal, onFailure } = this.#o
    if (this.#failures.size >= MOST_FAILURES) this.#failures.clear()
    this.#failures.set(domain, { id, until: clock.monotonic() + PAUSE_MS })
    journal?.event('policy.error', { policy: 'mta-sts', domain, why: why.slice(0, 200) }, 'warn')
    onFailure?.(domain, type, why)
    return undefined
  }
}

/** As Node names what is wrong with the certificate of the policy's host. */
const isCertificateError = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && /CERT|UNABLE_TO_VERIFY/.test(String(error.code))

const unlessAborted = <T>(work: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error)
    const stop = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
