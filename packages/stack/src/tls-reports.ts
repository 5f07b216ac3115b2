import { gzipSync } from 'node:zlib'
import { parseMailbox, type Mailbox } from '@posthorn/address'
import type { Json, KeyValue } from '@posthorn/contracts'
import { buildTlsReportMail } from '@posthorn/dsn'
import {
  dayOf,
  reportAddresses,
  sumOf,
  tlsReporter,
  tlsReportFile,
  tlsReportJson,
  type DomainCounts,
  type PolicyCount,
  type TlsSessions,
} from '@posthorn/tls-policy'
import type { Environment } from './environment.ts'
import type { Injector } from './hosts.ts'
import type { Config } from './schema.ts'

const dayMs = 86_400_000
/** Between two writes of what was counted; so much is lost with a process that dies. */
const flushMs = 300_000
/** Reports are spread over so long after midnight (RFC 8460 §4.1). */
const spreadMs = 4 * 3_600_000
/** After its day a count is kept for so long, so that a server that was down can still report. */
const keptMs = 4 * dayMs
const lookupMs = 30_000
/** What a process that stops has for keeping its last counts. */
const lastMs = 2_000
/** Domains that are looked up at a time. */
const atOnce = 20
/** Domains of one day that want reports. */
const mostDomains = 2_000
/** Others may write the same counts meanwhile. */
const mostSwaps = 20

/** The daily work of reports on TLS. */
export interface TlsReports {
  /** Keep what was counted. Never rejects. */
  stop(): Promise<void>
}

type Parts = Pick<Environment, 'clock' | 'random' | 'journal' | 'resolver'> &
  Injector & {
    readonly kv: KeyValue
    readonly sessions: TlsSessions
    /** Of several processes one sends. */
    readonly isFirst: boolean
  }
type Settings = Exclude<Config['tlsReports'], false>

/**
 * Keep the counts of TLS sessions of domains that ask for reports, and send each of those one a day (RFC 8460), until it is stopped.
 * Processes and nodes that share a store add up; whichever claims a report first sends it, and at most once.
 */
export const reportTls = (config: Pick<Config, 'hostname' | 'tlsReports'>, o: Parts): TlsReports | undefined =>
  config.tlsReports === false ? undefined : new Daily(config.hostname, config.tlsReports, o)

class Daily implements TlsReports {
  readonly #hostname: string
  readonly #settings: Settings
  readonly #o: Parts
  readonly #delay: number
  #cancel = (): void => undefined
  #work: Promise<void> = Promise.resolve()
  readonly #ending = new AbortController()
  /** Domains that the store lists for a day. */
  #listed: { readonly day: string; readonly domains: Set<string> } = { day: '', domains: new Set() }
  /** The last day for which nothing is left to send. */
  #done = ''

  constructor(hostname: string, settings: Settings, o: Parts) {
    this.#hostname = hostname
    this.#settings = settings
    this.#o = o
    // The last counts of a day are kept by then, also those of other processes.
    this.#delay = 2 * flushMs + o.random.int(spreadMs)
    this.#wait()
  }

  async stop(): Promise<void> {
    this.#ending.abort()
    this.#cancel()
    await this.#work
    const { clock, sessions } = this.#o
    const end = clock.monotonic() + lastMs
    // There is no time to ask who wants a report; it is asked again before one is sent.
    for (const one of sessions.take()) if (clock.monotonic() < end) await this.#guarded(() => this.#keep(one))
  }

  #wait(): void {
    this.#cancel = this.#o.clock.after(flushMs, () => {
      this.#work = this.#turn().finally(() => {
        if (!this.#ending.signal.aborted) this.#wait()
      })
    })
  }
  async #turn(): Promise<void> {
    await this.#guarded(() => this.#flush())
    const yesterday = dayOf(this.#o.clock.wall() - this.#delay - dayMs)
    if (!this.#o.isFirst || this.#done >= yesterday) return
    const before = dayOf(Date.parse(yesterday) - dayMs)
    await this.#guarded(async () => {
      const [one, other] = [await this.#sendAll(before), await this.#sendAll(yesterday)]
      if (one && other) this.#done = yesterday
    })
  }
  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#o.journal.event('error', { what: 'reports on TLS', why: String(error) }, 'error')
    }
  }

  async #flush(): Promise<void> {
    const all = this.#o.sessions.take()
    const errors: unknown[] = []
    for (let at = 0; at < all.length; at += atOnce)
      await Promise.all(
        all.slice(at, at + atOnce).map(async one => {
          if ((await this.#readers(one.domain))?.length === 0) return
          if (this.#ending.signal.aborted) return this.#o.sessions.putBack(one)
          try {
            await this.#keep(one)
          } catch (error) {
            this.#o.sessions.putBack(one)
            errors.push(error)
          }
        }),
      )
    if (errors.length > 0) throw errors[0]
  }
  async #keep({ day, domain, counts }: DomainCounts): Promise<void> {
    if (!(await this.#isListed(day, domain))) return
    await this.#changed(`${day} ${domain}`, (known: readonly PolicyCount[]) => sumOf(known, counts))
  }
  /** Whether the domain has a place among those of the day; when it is new and there is room, it gets one. */
  async #isListed(day: string, domain: string): Promise<boolean> {
    if (this.#listed.day !== day) this.#listed = { day, domains: new Set() }
    const { domains } = this.#listed
    if (domains.has(domain)) return true
    const all = await this.#changed(day, (known: readonly string[]) =>
      known.includes(domain) || known.length >= mostDomains ? known : [...known, domain],
    )
    if (all.includes(domain)) domains.add(domain)
    return all.includes(domain)
  }
  /** Change a list that others may change at the same time; what it has become. */
  async #changed<T extends readonly Json[]>(key: string, change: (known: T) => T): Promise<T> {
    for (let i = 0; i < mostSwaps; i++) {
      const old = await this.#o.kv.get(key)
      const known = (old ?? []) as T
      const next = change(known)
      if (next === known || (await this.#o.kv.swap(key, old, next, keptMs))) return next
    }
    throw new Error('others kept changing the counts')
  }

  /** Who wants reports on a domain; undefined when the DNS can't say now. */
  async #readers(domain: string): Promise<readonly string[] | undefined> {
    const deadline = this.#o.clock.deadline(lookupMs, this.#ending.signal)
    try {
      const answer = await this.#o.resolver.txt(`_smtp._tls.${domain}`, deadline.signal)
      if (answer.ok) return reportAddresses(answer.records)
      return answer.why === 'nxdomain' || answer.why === 'nodata' ? [] : undefined
    } catch {
      return undefined
    } finally {
      deadline.clear()
    }
  }

  /** Whether nothing is left to send of that day. */
  async #sendAll(day: string): Promise<boolean> {
    const domains = ((await this.#o.kv.get(day)) ?? []) as readonly string[]
    let left = domains.length
    for (const domain of domains) {
      if (this.#ending.signal.aborted) return false
      await this.#guarded(async () => {
        if (await this.#send(day, domain)) left--
      })
    }
    return left === 0
  }
  /** Whether it is sent, by us or another, or nobody wants it. */
  async #send(day: string, domain: string): Promise<boolean> {
    const { kv } = this.#o
    const key = `${day} ${domain}`
    const counts = (await kv.get(key)) as readonly PolicyCount[] | undefined
    const readers = counts === undefined ? [] : await this.#readers(domain)
    if (readers === undefined) return false
    const to = readers.flatMap(address => parseMailbox(address) ?? [])
    if (counts === undefined || to.length === 0) return true
    // Claimed first: a report that is lost with this process is better than two.
    if (!(await kv.swap(`sent ${key}`, undefined, true, keptMs))) return true
    try {
      await this.#enqueue(to, this.#mail(day, domain, counts, to))
    } catch (error) {
      await kv.delete(`sent ${key}`)
      throw error
    }
    return true
  }
  async #enqueue(to: readonly Mailbox[], bytes: Uint8Array): Promise<void> {
    const recipients = to.map(address => ({ to: address, notify: 'never' }) as const)
    await this.#o.inject({
      origin: 'api',
      user: tlsReporter,
      sender: null,
      recipients: await this.#o.resolve(recipients, null),
      bytes: (async function* () {
        yield bytes
      })(),
    })
  }
  #mail(day: string, domain: string, counts: readonly PolicyCount[], to: readonly Mailbox[]): Uint8Array {
    const { clock, random } = this.#o
    const { organization = this.#hostname } = this.#settings
    const contact = this.#settings.contact.replace(/^mailto:/i, '')
    const unique = Buffer.from(random.bytes(8)).toString('hex')
    const id = `${day}.${unique}@${this.#hostname}`
    const json = tlsReportJson({ day, organization, contact, id, counts })
    return buildTlsReportMail({
      from: contact,
      to: to.map(address => address.wire),
      domain,
      submitter: this.#hostname,
      id,
      file: tlsReportFile({ submitter: this.#hostname, domain, day, id: unique }),
      content: gzipSync(json)
        .toString('base64')
        .replaceAll(/.{76}(?=.)/g, '$&\r\n'),
      now: clock.wall(),
      random,
    })
  }
}
