import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { ExpandedRecipient, Inject, Journal, Resolver, Wire } from '@posthorn/contracts'
import { createResolver } from '@posthorn/dns'
import { createInject, createIntake, prepareReport, resolveRecipients, type ResolveFor } from '@posthorn/intake'
import { createJournal, type LogStream } from '@posthorn/journal'
import { createLmtpIntake, createMailboxes, type LocalMailboxes } from '@posthorn/mda'
import { openUsers, type Users } from '@posthorn/msa'
import { createDispatcher, type Dispatcher } from '@posthorn/mta'
import type { Recipient } from '@posthorn/plugin'
import { openQueue } from '@posthorn/queue'
import { createListener, type Listener } from '@posthorn/smtp-listener'
import { systemClock, systemNetwork, systemRandom } from '@posthorn/system'
import { certificatesOf } from './certificate.ts'
import { createChains } from './chains.ts'
import { directories } from './directories.ts'
import { queued } from './queued.ts'
import type { Environment, Store } from './environment.ts'
import { hostsOf, type Injector } from './hosts.ts'
import { mailboxNames, mailboxOptions } from './local-mailboxes.ts'
import { createOutbound } from './outbound.ts'
import { serviceNames, type Config, type ServiceName } from './schema.ts'
import { servicesOf } from './services.ts'

/** Where a service listens. */
export type ListenerAddress = { readonly host: string; readonly port: number } | { readonly path: string }

export interface StackOptions extends Partial<Environment> {
  /** Instead of the configuration's. */
  readonly state?: string
  /** Where log lines go; nowhere when absent and no journal is given. */
  readonly logTo?: LogStream & { readonly isTTY?: boolean }
  /** Log lines as JSON, whatever the configuration says. */
  readonly json?: boolean
}

/** A mail system, wired and ready to start. */
export interface Stack {
  readonly config: Config
  readonly queue: Store
  readonly users: Users
  readonly mailboxes: LocalMailboxes
  readonly journal: Journal
  readonly dispatcher: Dispatcher
  readonly inject: Inject
  /** Listen and dispatch; what was left by the run before is due at once. Resolves when all services listen, with their addresses. */
  start(): Promise<Readonly<Record<string, ListenerAddress>>>
  /** Hold a session of a service on a wire from elsewhere. */
  serve(service: ServiceName, wire: Wire): void
  /** Take no more mail, let sessions and attempts end within the grace, give leases back, close the store. Idempotent; never rejects. */
  stop(graceMs?: number): Promise<void>
}

/** How often the mailboxes follow the users. */
const followUsersMs = 1_000
const defaultGraceMs = 10_000

const silent: Journal = { event: () => undefined, child: () => silent }

const formatOf = (config: Config, o: StackOptions): 'json' | 'text' => {
  if (o.json === true) return 'json'
  if (config.log.format !== 'auto') return config.log.format
  return o.logTo?.isTTY === true ? 'text' : 'json'
}

/** The one given, which its owner closes, or one that asks the configured servers. */
const resolverOf = (config: Config, env: Pick<Environment, 'clock' | 'random'>, given: Resolver | undefined): Resolver & { close(): void } =>
  given === undefined
    ? createResolver({ ...env, timeoutMs: config.resolver.timeout, ...(config.resolver.servers === undefined ? {} : { servers: config.resolver.servers }) })
    : { ...given, close: () => undefined }

/** Recipients that a plugin named, as mail for them would go. Throws Error when one can't be resolved. */
const resolveAll = async (recipients: readonly Recipient[], o: Omit<ResolveFor, 'origin' | 'session'>): Promise<readonly ExpandedRecipient[]> => {
  const found = await resolveRecipients(recipients, { ...o, origin: 'api', session: 'inject' })
  if (!found.ok) throw new Error(`${found.to.wire}: ${found.why}`)
  return found.goesTo
}

/**
 * Wire a mail system from a checked configuration. Nothing listens and nothing is sent before `start`.
 * Rejects with an Error that says what to do when the state directory is in use or unusable.
 */
export const createStack = async (config: Config, o: StackOptions = {}): Promise<Stack> => {
  const at = directories(o.state ?? config.state)
  mkdirSync(at.state, { recursive: true, mode: 0o700 })
  const clock = o.clock ?? systemClock
  const random = o.random ?? systemRandom
  const log = o.logTo === undefined ? undefined : createJournal({ stream: o.logTo, clock, level: config.log.level, format: formatOf(config, o) })
  const journal = o.journal ?? log ?? silent
  const env = { clock, random, journal }

  const store = o.store ?? (await openQueue({ ...env, directory: at.queue, floorBytes: config.limits.freeSpace }))
  const resolver = resolverOf(config, env, o.resolver)
  const users = await openUsers(join(at.state, config.users), { clock, random, onError: error => journal.event('error', { what: 'users', why: String(error) }, 'error') })
  const mailboxes = createMailboxes(mailboxOptions(config, users))
  const certificates = await certificatesOf(config, at.tls, env)
  const outbound = createOutbound(config, at, { ...o, ...env, resolver, network: o.network ?? systemNetwork() })

  const ending = new AbortController()
  let injector: Injector | undefined
  const host = hostsOf({ ...env, resolver, store, signal: ending.signal, probe: outbound.probe }, () => injector)
  const chains = await createChains(config, { ...env, users, mailboxes, routes: outbound.plugins, host })
  const entrance = { ...env, queue: store, hostname: config.hostname }
  const outward = { ...entrance, chain: chains.outward }
  const dispatcher = createDispatcher({
    ...outward,
    transports: outbound.transports,
    prepareReport: draft => prepareReport(draft, outward),
    exchanges: outbound.smtp.exchanges,
    retry: { firstMs: config.retry.first, maxMs: config.retry.most },
    expireMs: config.retry.expire,
    warnAfterMs: config.retry.warn,
    concurrency: config.concurrency,
  })
  const inject = createInject({ ...outward, handoff: dispatcher })
  injector = { inject, resolve: (recipients, sender) => resolveAll(recipients, { ...outward, sender }) }

  const services = servicesOf(config, {
    chains,
    users,
    certificates,
    intakes: {
      mx: createIntake({ ...entrance, chain: chains.mx, handoff: dispatcher }),
      submission: createIntake({ ...entrance, chain: chains.submission, handoff: dispatcher }),
      lmtp: createLmtpIntake({ ...env, transports: { ...queued(outbound.transports, inject), local: outbound.local }, hostname: config.hostname, spoolDir: at.incoming }),
    },
  })
  const listeners = new Map<ServiceName, Listener>()
  for (const name of serviceNames) listeners.set(name, createListener(services[name], env))

  let stopFollowing = (): void => undefined
  const followUsers = (): void => {
    mailboxes.update({ mailboxes: mailboxNames(config, users) })
    stopFollowing = clock.after(followUsersMs, followUsers)
  }

  const start = async (): Promise<Readonly<Record<string, ListenerAddress>>> => {
    followUsers()
    await dispatcher.start()
    const addresses: Record<string, ListenerAddress> = {}
    for (const name of serviceNames) {
      const place = config.listeners[name]
      if (place === false || o.listen === false) continue
      const listening = await listeners.get(name)?.listen(place)
      addresses[name] = 'path' in place ? place : (listening ?? place)
    }
    return addresses
  }

  let stopped: Promise<void> | undefined
  const stop = async (graceMs: number): Promise<void> => {
    journal.event('service.draining', {})
    stopFollowing()
    await Promise.all([...listeners.values()].map(listener => listener.drain(graceMs)))
    await dispatcher.drain(graceMs)
    await dispatcher.stop()
    ending.abort()
    await chains.stop()
    await outbound.client.close()
    await store.close()
    if ('close' in certificates) certificates.close()
    resolver.close()
    journal.event('service.stopped', {})
    await log?.close()
  }

  return {
    config,
    queue: store,
    users,
    mailboxes,
    journal,
    dispatcher,
    inject,
    start,
    serve: (service, wire) => listeners.get(service)?.serve(wire),
    stop: (graceMs = defaultGraceMs) => (stopped ??= stop(graceMs)),
  }
}
