import { ehlo } from '@posthorn/reply'
import { parseDomain } from '@posthorn/address'
import { Expander } from '@posthorn/plugin'
import type { Clock, Journal, Random, ScramVerifier } from '@posthorn/contracts'
import type { Domain } from '@posthorn/address'
import { keywords } from './keywords.ts'
import { defaultLimits } from './limits.ts'
import { networks } from './networks.ts'
import { decoys } from './sasl/decoy.ts'
import { mechanismOf, saslMechanisms } from './sasl/mechanisms.ts'
import type { Standing } from './keywords.ts'
import type { Limits } from './limits.ts'
import type { ListenerDependencies, Service } from './service.ts'

/** Of SCRAM, as `@posthorn/msa` has it. */
const ITERATIONS = 16_384
const HOUR = 3_600_000

/** What all sessions of a listener share. */
export class Desk {
  readonly service: Service
  readonly limits: Limits
  /** What addresses are, and whom they stand for. */
  readonly expander: Expander
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
  /** Ours, for `RCPT TO:<Postmaster>`. */
  readonly domain: Domain
  /** What SCRAM shows of a user that is not there. */
  readonly decoy: (user: string) => ScramVerifier
  /** Whether the client at this address may say for whom it speaks (XCLIENT), and where mail came from (XFORWARD). */
  readonly mayIntroduce: (ip: string) => boolean
  readonly mayForward: (ip: string) => boolean
  /** Whether it is told what addresses are, without having logged in. */
  readonly isTold: (ip: string) => boolean
  #hour = 0
  #mechanisms: readonly string[] | undefined
  readonly #greetings = new Map<string, Greeting>()

  /** Throws RangeError for what `createListener` says. */
  constructor(service: Service, deps: ListenerDependencies) {
    const domain = parseDomain(service.hostname)
    if (domain === undefined) throw new RangeError(`not a host name: ${JSON.stringify(service.hostname)}`)
    for (const name of service.mechanisms ?? []) {
      const { authenticator } = service
      // What somebody else has is only known when they have been asked.
      if (authenticator?.sasl !== undefined) continue
      if (!saslMechanisms.has(name)) throw new RangeError(`no SASL mechanism of that name: ${JSON.stringify(name)}`)
      if (authenticator !== undefined && mechanismOf(authenticator, name) === undefined)
        throw new RangeError(`the authenticator of service ${service.name} cannot work with ${name}`)
    }
    if (service.implicitTls === true && service.tls === undefined)
      throw new RangeError(`service ${service.name} has implicit TLS and no certificate`)
    this.service = service
    this.limits = { ...defaultLimits, ...service.limits }
    this.expander = new Expander(service.chain, {
      depth: this.limits.expansionDepth,
      addresses: this.limits.expansions,
      loops: 'fail',
    })
    this.clock = deps.clock
    this.random = deps.random
    this.journal = deps.journal
    this.domain = domain
    this.mayIntroduce = networks(service.xclient ?? [])
    this.isTold = networks(service.directory?.trusted ?? [])
    this.mayForward = networks(service.xforward ?? [])
    this.decoy = decoys(
      service.decoySecret ?? deps.random.bytes(32),
      service.authenticator?.scramIterations ?? ITERATIONS,
    )
  }

  /** Nearly all sessions are taken: those that keep us waiting make room. */
  stressed = false
  get commandMs(): number {
    const { commandMs, stressMs } = this.limits
    return this.stressed ? Math.min(commandMs, stressMs) : commandMs
  }
  get dataMs(): number {
    const { dataMs, stressMs } = this.limits
    return this.stressed ? Math.min(dataMs, stressMs) : dataMs
  }

  /** The answer to EHLO and what it offers; each is made once an hour at most. */
  greeting(standing: Standing): Greeting {
    const key = Object.values(standing).join()
    // What is said of the time grows old, and what somebody else can do may change.
    const hour = Math.floor(this.clock.wall() / HOUR)
    const mechanisms = this.service.authenticator?.sasl?.mechanisms
    if (hour !== this.#hour || mechanisms !== this.#mechanisms) this.#greetings.clear()
    this.#hour = hour
    this.#mechanisms = mechanisms
    const known = this.#greetings.get(key)
    if (known !== undefined) return known
    const lines = keywords(this.service, this.limits, { ...standing, now: hour * HOUR })
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
