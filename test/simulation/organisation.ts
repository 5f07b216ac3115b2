import { createMailboxes } from '@posthorn/mda'
import { createIntake, createInject, prepareReport, resolveRecipients } from '@posthorn/intake'
import { authRequired, fixUps, senderRights, submissionRelay } from '@posthorn/msa'
import { createDispatcher, createSmtpTransport, loopGuard, relayGuard, remoteDomains } from '@posthorn/mta'
import type { Dispatcher } from '@posthorn/mta'
import { createChain, keepVerdict } from '@posthorn/plugin'
import type { Chain, Host, Plugin } from '@posthorn/plugin'
import { memoryDisk, memoryQueue } from '@posthorn/queue'
import { createClient } from '@posthorn/smtp-client'
import { createListener } from '@posthorn/smtp-listener'
import type { Listener } from '@posthorn/smtp-listener'
import type { Random, Resolver } from '@posthorn/contracts'
import type { Breakage } from './broken.ts'
import { simulatedClock } from './clock.ts'
import type { SimulatedClock } from './clock.ts'
import { noting } from './journal.ts'
import type { Ledger } from './ledger.ts'
import { mailroom } from './mailroom.ts'
import type { SimulatedNetwork } from './network.ts'
import { discardSpam, holdDan } from './policy.ts'
import { severable, unreliableStore } from './store.ts'
import type { Store } from './store.ts'
import { happens } from './trouble.ts'
import type { Plan, Trouble } from './trouble.ts'
import type { Life, World } from './world.ts'

/** What an organisation is like. */
export interface Nature {
  readonly domain: string
  readonly ip: string
  readonly mailboxes: readonly string[]
  readonly aliases: Readonly<Record<string, readonly string[]>>
  readonly smarthost?: { readonly host: string; readonly port: number }
  readonly trusted?: readonly string[]
  /** It has a second node, which delivers from the same queue and dies by itself. */
  readonly aide?: boolean
}

export interface Surroundings {
  readonly world: World
  readonly network: SimulatedNetwork
  readonly ledger: Ledger
  readonly plan: Plan
  readonly trouble: Trouble
  /** The DNS as seen from a host, in one of its lives. */
  readonly resolver: (host: string, clock: SimulatedClock, random: Random) => Resolver
  readonly breakage?: Breakage
}

/** What runs between a boot and a crash. */
interface Running {
  readonly life: Life
  readonly clock: SimulatedClock
  readonly store: Store
  readonly dispatcher: Dispatcher
  /** Another dispatcher on the queue, with a life, a clock and connections of its own. */
  readonly startAide: (life: Life) => Promise<Dispatcher>
  aide: { readonly life: Life; readonly dispatcher: Dispatcher } | undefined
  readonly listeners: readonly Listener[]
  readonly chains: readonly Chain[]
}

/** A mail server with its disk: what is committed outlives its crashes, the rest does not. */
export class SimulatedOrganisation {
  readonly nature: Nature
  readonly host: string
  /** Its disk is full until then, virtual ms. */
  fullUntil = 0
  readonly #s: Surroundings
  readonly #disk = memoryDisk()
  readonly #hazards: Random
  #running: Running | undefined
  #lives = 0
  #skew = 0

  constructor(nature: Nature, s: Surroundings) {
    this.nature = nature
    this.host = `mx.${nature.domain}`
    this.#s = s
    this.#hazards = s.world.chance(`hazards of ${this.host}`)
  }

  get up(): boolean {
    return this.#running !== undefined
  }
  /** Throws while it is down. */
  get store(): Store {
    if (this.#running === undefined) throw new Error(`${this.host} is down`)
    return this.#running.store
  }

  /** Start on what the disk holds. */
  async boot(): Promise<void> {
    const { world, network } = this.#s
    const life: Life = { alive: true, frozenUntil: 0 }
    const clock = simulatedClock(world, life, this.#skew)
    const random = world.chance(`${this.host} in its life ${++this.#lives}`)
    world.log(this.host, 'starts')
    const running = await this.#assemble(life, clock, random)
    if (!life.alive) return
    this.#running = running
    const [mx, submission] = running.listeners
    network.attach(this.nature.ip, 25, { life, serve: wire => mx?.serve(wire) })
    network.attach(this.nature.ip, 587, { life, serve: wire => submission?.serve(wire) })
    await running.dispatcher.start()
    await this.#bootAide(running)
  }

  async #bootAide(running: Running): Promise<void> {
    if (this.nature.aide !== true || !running.life.alive) return
    const life: Life = { alive: true, frozenUntil: 0 }
    this.#s.world.log(this.host, 'starts its second node')
    running.aide = { life, dispatcher: await running.startAide(life) }
  }

  /** Its second node dies where it stands, and another starts after `ms`; what that one had is free when its leases lapse. */
  crashAide(ms: number): void {
    const running = this.#running
    if (running?.aide === undefined) return
    const { world, network, ledger } = this.#s
    world.log(this.host, 'loses its second node')
    ledger.stats.crashes++
    ledger.excuse({ at: world.now, host: this.host, window: 'crash' })
    running.aide.life.alive = false
    network.lose(running.aide.life, 1)
    running.aide = undefined
    world.after(ms, () => void this.#bootAide(running), running.life)
  }

  /** It dies where it stands, and starts again after `ms`. */
  crash(ms: number, why: string): void {
    const running = this.#running
    if (running === undefined) return
    const { world, network, ledger } = this.#s
    world.log(this.host, `crashes ${why}`)
    ledger.stats.crashes++
    ledger.excuse({ at: world.now, host: this.host, window: 'crash' })
    this.#running = undefined
    running.life.alive = false
    this.#endAide(running)
    this.#disk.crash()
    network.lose(running.life, this.#hazards.next() < 0.5 ? 1 : ms)
    world.after(ms, () => void this.boot())
  }

  /** It stops in good order and starts again. */
  async restart(): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    const { world, network } = this.#s
    world.log(this.host, 'is stopped')
    this.#running = undefined
    const grace = 10_000
    await Promise.all(running.listeners.map(l => l.drain(grace)))
    for (const dispatcher of [running.dispatcher, running.aide?.dispatcher]) {
      await dispatcher?.drain(grace)
      await dispatcher?.stop()
    }
    for (const chain of running.chains) await chain.stop()
    running.life.alive = false
    this.#endAide(running)
    this.#disk.crash()
    network.lose(running.life, 1)
    await this.boot()
  }

  #endAide({ aide }: Running): void {
    if (aide === undefined) return
    aide.life.alive = false
    this.#s.network.lose(aide.life, 1)
  }

  /** Nothing happens to it for a while, and then all at once. */
  freeze(ms: number): void {
    const { world } = this.#s
    if (this.#running === undefined) return
    world.log(this.host, `is suspended for ${Math.round(ms / 1000)} s`)
    for (const life of [this.#running.life, this.#running.aide?.life])
      if (life !== undefined) life.frozenUntil = world.now + ms
  }

  /** Somebody sets its wall clock. */
  jump(ms: number): void {
    this.#s.world.log(this.host, `sets its clock by ${Math.round(ms / 1000)} s`)
    this.#skew += ms
    if (this.#running !== undefined) this.#running.clock.skew = this.#skew
  }

  /** Deliveries in its queue, whatever their state. */
  async queued(): Promise<number> {
    return (await this.store.count({ and: [] })).get('all') ?? 0
  }

  /** The end of the run: its memory is given back. */
  close(): void {
    if (this.#running !== undefined) {
      this.#running.life.alive = false
      this.#endAide(this.#running)
    }
    this.#disk.crash()
    this.#disk.database.close()
  }

  #hazard(where: string, life: Life): void {
    const { trouble, world } = this.#s
    // Long enough for the leases of what is under way to lapse.
    if (where.endsWith('delivery') && happens(this.#hazards, trouble.freeze))
      this.freeze(310_000 + this.#hazards.next() * 300_000)
    if (!happens(this.#hazards, trouble.crash)) return
    const ms = 1000 + this.#hazards.next() * 120_000
    // At once, or so late that an answer has left meanwhile.
    world.after(this.#hazards.next() * (this.#hazards.next() < 0.5 ? 3 : 500), () => this.crash(ms, where), life)
  }

  async #assemble(life: Life, clock: SimulatedClock, random: Random): Promise<Running> {
    const { world, ledger, network, plan, trouble, breakage } = this.#s
    const { nature, host } = this
    const log = (what: string): void => world.log(host, what)
    const now = (): number => world.now
    const hazard = (where: string): void => this.#hazard(where, life)
    const journal = noting({ host, world, ledger, life })
    breakage?.reopen?.(this.#disk)
    const inner = memoryQueue({ clock, random, disk: this.#disk })
    const store = unreliableStore(breakage?.wrap(inner, this.#disk, clock) ?? inner, {
      host,
      now,
      clock,
      random,
      trouble,
      ledger,
      hazard,
      log,
      fullUntil: () => this.fullUntil,
    })
    const resolver = this.#s.resolver(host, clock, random)
    const client = createClient({ network: network.from(nature.ip, life), clock, hostname: host, journal })
    const smtp = createSmtpTransport({
      client,
      resolver,
      random,
      self: { names: [host], addresses: [nature.ip] },
      allow: () => true,
    })
    const local = mailroom({ host, now, clock, random, trouble, ledger, hazard, log })

    const mailboxes = createMailboxes({
      domains: [nature.domain],
      mailboxes: nature.mailboxes,
      aliases: nature.aliases,
    })
    const isLocalDomain = (domain: string): boolean => mailboxes.isLocalDomain(domain)
    const wayOut = remoteDomains({ isLocalDomain, ...(nature.smarthost && { smarthost: nature.smarthost }) })
    const loops = loopGuard({ hostname: host, maxHops: 50 })
    const signal = new AbortController().signal
    const chainOf = (plugins: readonly Plugin[]): Promise<Chain> =>
      createChain(plugins, {
        clock,
        onVerdict: keepVerdict,
        onError: (plugin, hook, error) => journal.event('policy.error', { plugin, hook, why: String(error) }, 'error'),
        host: (plugin): Host => ({
          dns: resolver,
          clock,
          random,
          signal,
          kv: store.keyValue(plugin),
          log: (level, event, fields) => journal.event(`plugin.${plugin}.${event}`, fields, level),
          probe: (rcpt, stop) =>
            client.probe(
              rcpt,
              { protocol: 'smtp', host, port: 25, tls: { level: 'never', names: [], because: '' } },
              stop,
            ),
          inject: async ({ origin, sender, rcpts, bytes }) => {
            const found = await resolveRecipients(rcpts, { ...outward, sender, origin: 'api', session: 'inject' })
            if (!found.ok) throw new Error(found.why)
            return inject({ origin, sender, bytes, recipients: found.recipients })
          },
          pause: (site, ms, why) => store.pause(site, clock.wall() + ms, why),
        }),
      })
    const relay = relayGuard({ isLocalDomain, trusted: nature.trusted ?? [], hostname: host })
    const mx = await chainOf([relay, mailboxes.plugin, wayOut, loops, discardSpam(), holdDan()])
    const submission = await chainOf([
      authRequired(),
      senderRights({ maySendAs: () => true }),
      submissionRelay(),
      mailboxes.plugin,
      wayOut,
      loops,
      fixUps({ hostname: host, clock, random }),
      discardSpam(),
    ])
    const outwardChain = await chainOf([mailboxes.plugin, wayOut])
    const entrance = { queue: store, hostname: host, clock, random, journal }
    const outward = { ...entrance, chain: outwardChain }
    const terms = {
      prepareReport: (draft: Parameters<typeof prepareReport>[0]) => prepareReport(draft, outward),
      retry: { firstMs: 300_000, maxMs: plan.mostMs },
      expireMs: plan.expireMs,
      warnAfterMs: [Math.min(4 * 3_600_000, plan.expireMs / 3)],
      // What was leased in an earlier life is free as the queue is opened.
      sole: nature.aide !== true,
    }
    const dispatcher = createDispatcher({ ...outward, ...terms, transports: { mx: smtp, smtp, local } })
    const startAide = async (own: Life): Promise<Dispatcher> => {
      const itsClock = simulatedClock(world, own, clock.skew)
      const itsRandom = world.chance(`the second node of ${host} from ${now()}`)
      const itsJournal = noting({ host, world, ledger, life: own })
      const itsClient = createClient({
        network: network.from(nature.ip, own),
        clock: itsClock,
        hostname: host,
        journal: itsJournal,
      })
      const itsSmtp = createSmtpTransport({
        client: itsClient,
        resolver: this.#s.resolver(host, itsClock, itsRandom),
        random: itsRandom,
        self: { names: [host], addresses: [nature.ip] },
        allow: () => true,
      })
      const itsLocal = mailroom({
        host,
        now,
        clock: itsClock,
        random: itsRandom,
        trouble,
        ledger,
        hazard,
        log: what => log(`by its second node: ${what}`),
      })
      const itsOutward = {
        ...outward,
        queue: severable(store, own),
        clock: itsClock,
        random: itsRandom,
        journal: itsJournal,
      }
      const its = createDispatcher({
        ...itsOutward,
        ...terms,
        prepareReport: draft => prepareReport(draft, itsOutward),
        transports: { mx: itsSmtp, smtp: itsSmtp, local: itsLocal },
      })
      await its.start()
      return its
    }
    const inject = createInject({ ...outward, handoff: dispatcher })
    const listeners = [
      createListener(
        {
          name: 'mx',
          origin: 'mx',
          protocol: 'smtp',
          hostname: host,
          chain: mx,
          intake: createIntake({ ...entrance, chain: mx, handoff: dispatcher }),
        },
        { clock, random, journal },
      ),
      createListener(
        {
          name: 'submission',
          origin: 'submission',
          protocol: 'smtp',
          hostname: host,
          chain: submission,
          intake: createIntake({ ...entrance, chain: submission, handoff: dispatcher }),
          authenticator: { password: async (user, password) => (password === 'secret' ? { user } : undefined) },
          authRequiresTls: false,
        },
        { clock, random, journal },
      ),
    ]
    return {
      life,
      clock,
      store,
      dispatcher,
      startAide,
      aide: undefined,
      listeners,
      chains: [mx, submission, outwardChain],
    }
  }
}
