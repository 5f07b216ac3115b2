import { ehlo } from '@posthorn/reply'
import { parseDomain } from '@posthorn/address'
import type { Clock, Journal, Random } from '@posthorn/contracts'
import type { Domain } from '@posthorn/address'
import { keywords, mechanismsOf } from './keywords.ts'
import { defaultLimits } from './limits.ts'
import { saslMechanisms } from './sasl.ts'
import type { Standing } from './keywords.ts'
import type { Limits } from './limits.ts'
import type { ListenerDependencies, Service } from './service.ts'

/** What all sessions of a listener share. */
export class Desk {
  readonly service: Service
  readonly limits: Limits
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
  /** Ours, for `RCPT TO:<Postmaster>`. */
  readonly domain: Domain
  readonly #greetings = new Map<string, Greeting>()

  /** Throws RangeError when the host name is no domain, a mechanism does not exist or implicit TLS has no certificate. */
  constructor(service: Service, deps: ListenerDependencies) {
    const domain = parseDomain(service.hostname)
    if (domain === undefined) throw new RangeError(`not a host name: ${JSON.stringify(service.hostname)}`)
    const unknown = mechanismsOf(service).find(name => !saslMechanisms.has(name))
    if (unknown !== undefined) throw new RangeError(`no SASL mechanism of that name: ${JSON.stringify(unknown)}`)
    if (service.implicitTls === true && service.tls === undefined)
      throw new RangeError(`service ${service.name} has implicit TLS and no certificate`)
    this.service = service
    this.limits = { ...defaultLimits, ...service.limits }
    this.clock = deps.clock
    this.random = deps.random
    this.journal = deps.journal
    this.domain = domain
  }

  /** The answer to EHLO and what it offers; there are four at most, made once. */
  greeting(standing: Standing): Greeting {
    const key = `${standing.secure}${standing.authenticated}`
    const known = this.#greetings.get(key)
    if (known !== undefined) return known
    const lines = keywords(this.service, this.limits, standing)
    const made = {
      text: ehlo(this.service.hostname, lines),
      offered: new Set(lines.map(line => line.split(' ', 1)[0]?.toUpperCase() ?? '')),
    }
    this.#greetings.set(key, made)
    return made
  }
}

/** What EHLO is answered. */
export interface Greeting {
  readonly text: string
  readonly offered: ReadonlySet<string>
}
