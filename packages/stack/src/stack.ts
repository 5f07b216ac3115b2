import { mkdirSync } from 'node:fs'
import { parseMailbox } from '@posthorn/address'
import type { AcceptedRecipient, Inject, Journal, Resolver, Wire } from '@posthorn/contracts'
import { createResolver } from '@posthorn/dns'
import { createInject, createIntake, prepareReport, resolveRecipients, type ResolveFor } from '@posthorn/intake'
import { createLmtpIntake, createMailboxes, type LocalMailboxes } from '@posthorn/mda'
import { openUsers, type Users } from '@posthorn/msa'
import { createDispatcher, type Dispatcher } from '@posthorn/mta'
import type { Recipient } from '@posthorn/plugin'
import { createListener, type Listener } from '@posthorn/smtp-listener'
import { systemClock, systemNetwork, systemRandom } from '@posthorn/system'
import { TlsSessions } from '@posthorn/tls-policy'
import { accountsOf, usersFile } from './accounts.ts'
import { bounceClassifier } from './bounce-classifier.ts'
import { bouncePlugins, tagsOf } from './bounces.ts'
import { certificatesOf } from './certificate.ts'
import { createChains } from './chains.ts'
import { decoySecret } from './decoy-secret.ts'
import { directories } from './directories.ts'
import { queueRuns } from './queue-runs.ts'
import { queued } from './queued.ts'
import type { Environment, Store, WorkerPlace } from './environment.ts'
import { followUsers } from './follow-users.ts'
import { hostsOf, type Injector } from './hosts.ts'
import { mailboxOptions } from './local-mailboxes.ts'
import { openLog, type LogOptions } from './log.ts'
import { cleanDaily } from './clean-daily.ts'
import { Opened } from './opened.ts'
import { createOutbound, withPluginTransports } from './outbound.ts'
import { serviceNames, type ServiceName } from './schema/listeners.ts'
import type { Config } from './schema.ts'
import { servicesOf } from './services.ts'
import { siteLimits } from './site-limits.ts'
import { explained, StackError } from './stack-error.ts'
import { leaseTerms, ownStore } from './store.ts'
import { reportTls } from './tls-reports.ts'
import { ownSites, shareOf } from './worker-share.ts'

/** Where a service listens. */
export type ListenerAddress = { readonly host: string; readonly port: number } | { readonly path: string }

export interface StackOptions extends Partial<Environment>, LogOptions {
  /** Instead of the configuration's. */
  readonly state?: string
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
  /**
   * Listen and dispatch; what was left by the run before is due at once. Resolves when all services listen, with their addresses.
   * Rejects with StackError when one can't; then the stack has stopped, and nothing listens.
   */
  start(): Promise<Readonly<Record<string, ListenerAddress>>>
  /** Hold a session of a service on a wire from elsewhere. */
  serve(service: ServiceName, wire: Wire): void
  /** Take no more mail, let sessions and attempts end within the grace, give leases back, close the store. Idempotent; never rejects. */
  stop(graceMs?: number): Promise<void>
}

const defaultGraceMs = 10_000

const silent: Journal = { event: () => undefined, child: () => silent }

/** Of several processes each says which one it is. */
const numbered = (journal: Journal, worker: WorkerPlace | undefined): Journal =>
  worker === undefined ? journal : journal.child({ worker: worker.number })

/** The one given, which its owner closes, or one that asks the configured servers. */
const resolverOf = (
  config: Config,
  env: Pick<Environment, 'clock' | 'random'>,
  given: Resolver | undefined,
): Resolver & { close(): void } =>
  given === undefined
    ? createResolver({
        ...env,
        timeoutMs: config.resolver.timeout,
        ...(config.resolver.servers === undefined ? {} : { servers: config.resolver.servers }),
      })
    : { ...given, close: () => undefined }

/** Recipients that a plugin named, as mail for them would go. Throws Error when one can't be resolved. */
const resolveAll = async (
  recipients: readonly Recipient[],
  o: Omit<ResolveFor, 'origin' | 'session'>,
): Promise<readonly AcceptedRecipient[]> => {
  const found = await resolveRecipients(recipients, { ...o, origin: 'api', session: 'inject' })
  if (!found.ok) throw new Error(`${found.to.wire}: ${found.why}`)
  return found.recipients
}

/**
 * Wire a mail system from a checked configuration. Nothing listens and nothing is sent before `start`.
 * Rejects with a StackError that says what to do when the state directory is in use or unusable, a ConfigError when a secret can't be
 * read, and with what a plugin's set-up threw; nothing stays open then.
 */
export const createStack = async (config: Config, o: StackOptions = {}): Promise<Stack> => {
  const opened = new Opened()
  try {
    return await wire(config, o, opened)
  } catch (error) {
    await opened.close()
    throw error
  }
}

const wire = async (whole: Config, o: StackOptions, opened: Opened): Promise<Stack> => {
  const { worker } = o
  const config = worker === undefined ? whole : shareOf(whole, worker)
  const at = directories(o.state ?? config.state)
  await explained('the state directory', () => mkdirSync(at.state, { recursive: true, mode: 0o700 }))
  const clock = o.clock ?? systemClock
  const random = o.random ?? systemRandom
  const { logTo } = o
  const log = logTo && openLog(config, { ...o, logTo }, clock)
  const journal = numbered(o.journal ?? log ?? silent, worker)
  const env = { clock, random, journal }

  const store = o.store ?? (await ownStore(config, at, { ...env, opened }))
  opened.add(() => store.close())
  const resolver = resolverOf(config, env, o.resolver)
  opened.add(() => resolver.close())
  const trouble = (what: string, error: unknown): void => journal.event('error', { what, why: String(error) }, 'error')
  const users = await explained('', () =>
    openUsers(usersFile(config, at.state), { clock, random, onError: error => trouble('users', error) }),
  )
  const network = o.network ?? systemNetwork()
  const accounts = accountsOf(config, { ...env, users, network })
  opened.add(() => accounts.close())
  const mailboxes = await explained('the mailboxes', () => createMailboxes(mailboxOptions(config, users)))
  const certificates = await explained('the certificate', () => certificatesOf(config, at.tls, env))
  opened.add(() => 'close' in certificates && certificates.close())
  const sessions = config.tlsReports === false ? undefined : new TlsSessions(clock)
  const outbound = createOutbound(config, at, { ...o, ...env, resolver, store, sessions })
  opened.add(() => outbound.close())

  const ending = new AbortController()
  let injector: Injector | undefined
  const host = hostsOf({ ...env, resolver, store, signal: ending.signal, probe: outbound.probe }, () => injector)
  const classify = bounceClassifier(config)
  const returnPaths = tagsOf(config, at.bounceKey, { ...env, store })
  const bounces = bouncePlugins(config, { tags: returnPaths, mailboxes, journal, store, classify })
  const chains = await createChains(config, { ...env, accounts, mailboxes, routes: outbound.plugins, bounces, host })
  opened.add(() => chains.stop())
  const transports = withPluginTransports(outbound.transports, chains.outward)
  const doubleBounces = config.bounces.double === 'drop' ? undefined : parseMailbox(`postmaster@${config.hostname}`)
  const entrance = {
    ...env,
    queue: store,
    hostname: config.hostname,
    ...(doubleBounces === undefined ? undefined : { doubleBounces }),
  }
  const outward = { ...entrance, chain: chains.outward }
  const dispatcher = createDispatcher({
    ...outward,
    transports,
    prepareReport: draft => prepareReport(draft, outward),
    reach: (domain, signal) => outbound.smtp.reach(domain, signal),
    retry: { firstMs: config.retry.first, maxMs: config.retry.most },
    expireMs: config.retry.expire,
    warnAfterMs: config.retry.warn,
    successesPerHour: config.bounces.successesPerHour,
    classify,
    concurrency: config.concurrency,
    ...(Object.keys(config.sites).length > 0 && { limits: siteLimits(config) }),
    ...leaseTerms(config),
    ...(worker === undefined ? {} : { sole: false }),
  })
  const handoff = worker === undefined ? dispatcher : ownSites(dispatcher, worker)
  const inject = createInject({ ...outward, handoff })
  const inside: Injector = { inject, resolve: (recipients, sender) => resolveAll(recipients, { ...outward, sender }) }
  injector = inside

  const services = servicesOf(config, {
    chains,
    accounts,
    certificates,
    queueRuns: queueRuns(config, store),
    decoySecret: await decoySecret(store.keyValue('.sasl'), random),
    intakes: {
      mx: createIntake({ ...entrance, chain: chains.mx, handoff }),
      submission: createIntake({ ...entrance, chain: chains.submission, handoff }),
      lmtp: createLmtpIntake({
        ...env,
        transports: { ...queued(transports, inject), local: outbound.local },
        hostname: config.hostname,
        spoolDir: at.incoming,
      }),
    },
  })
  const listeners = new Map<ServiceName, Listener>()
  for (const name of serviceNames) listeners.set(name, createListener(services[name], env))

  /** What one process is enough for. */
  const isFirst = worker === undefined || worker.number === 1
  let stopped: Promise<void> | undefined
  let starting: Promise<unknown> = Promise.resolve()
  let stopTimers = (): void => undefined
  let stopReports = async (): Promise<void> => undefined

  const begin = async (): Promise<Readonly<Record<string, ListenerAddress>>> => {
    const stopFollowing = followUsers(config, {
      clock,
      users,
      mailboxes,
      onError: error => trouble('mailboxes', error),
    })
    const stopCleaning = isFirst
      ? cleanDaily(outbound.maildirs, { clock, onError: error => trouble('cleaning Maildirs', error) })
      : () => undefined
    const tlsReports =
      sessions &&
      reportTls(config, { ...env, resolver, kv: store.keyValue('.tls-reports'), sessions, isFirst, ...inside })
    if (tlsReports !== undefined) stopReports = () => tlsReports.stop()
    stopTimers = () => {
      stopFollowing()
      stopCleaning()
    }
    await explained('the queue', () => dispatcher.start())
    await accounts.connect()
    const addresses: Record<string, ListenerAddress> = {}
    for (const [name, listener] of listeners) {
      const place = config.listeners[name]
      if (place === false || o.listen === false || stopped !== undefined) continue
      // A port can be shared, a path cannot.
      if ('path' in place && !isFirst) continue
      const shared = worker === undefined || 'path' in place ? place : { ...place, reusePort: true }
      const listening = await explained(`the service ${name}`, () => listener.listen(shared))
      addresses[name] = 'path' in place ? place : listening
    }
    if (stopped !== undefined) throw new StackError('it was stopped before it had started')
    journal.event('service.ready', { listeners: addresses })
    return addresses
  }
  const start = async (): Promise<Readonly<Record<string, ListenerAddress>>> => {
    const begun = begin()
    starting = begun.catch(() => undefined)
    try {
      return await begun
    } catch (error) {
      await stop(0)
      throw error
    }
  }

  const takeDown = async (graceMs: number): Promise<void> => {
    await starting
    journal.event('service.draining', {})
    stopTimers()
    await Promise.all([...listeners.values()].map(listener => listener.drain(graceMs)))
    await dispatcher.drain(graceMs)
    await dispatcher.stop()
    await stopReports()
    ending.abort()
    await opened.close()
    journal.event('service.stopped', {})
    await log?.close()
  }
  const stop = (graceMs: number): Promise<void> => (stopped ??= takeDown(graceMs))

  const plugins = config.plugins.map(plugin => ('use' in plugin ? plugin.use.name : plugin.name))
  journal.event('config.loaded', { hostname: config.hostname, domains: config.domains, plugins, state: at.state })
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
    stop: (graceMs = defaultGraceMs) => stop(graceMs),
  }
}
