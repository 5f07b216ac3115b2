import { networkInterfaces } from 'node:os'
import { definePlugin, type Chain, type Plugin } from '@posthorn/plugin'
import type { Mailbox } from '@posthorn/address'
import type { Network, Outcome, TlsNeed, Transport } from '@posthorn/contracts'
import { findExchanges } from '@posthorn/dns'
import { createMaildirTransport, createTrapTransport, type MaildirTransport } from '@posthorn/mda'
import { createSmtpTransport, pluginTransport, type SmtpTransport, type SmtpTransportOptions } from '@posthorn/mta'
import { createClient, type SmtpClient } from '@posthorn/smtp-client'
import { systemNetwork } from '@posthorn/system'
import type { TlsSessions } from '@posthorn/tls-policy'
import type { Directories } from './directories.ts'
import { egressNetwork, hasEgress } from './egress.ts'
import type { Environment } from './environment.ts'
import { outgoingPolicies } from './outgoing-policies.ts'
import type { Config } from './schema.ts'
import { authoritiesOf, certificateOf, credentialsOf } from './smarthost-login.ts'
import { StackError } from './stack-error.ts'

/** Every way a message can leave the queue. */
export interface Outbound {
  readonly client: SmtpClient
  readonly smtp: SmtpTransport
  readonly local: MaildirTransport
  /** Those that write Maildirs, which are to be cleaned. */
  readonly maildirs: readonly MaildirTransport[]
  /** Ask the next hop of an address whether it would take mail for it. */
  readonly probe: (rcpt: Mailbox, signal: AbortSignal) => Promise<Outcome>
  /** By the names that site keys use. */
  readonly transports: Readonly<Record<string, Transport>>
  /** Adds what the site key of a smarthost does not say: TLS and credentials. */
  readonly plugins: readonly Plugin[]
  /** End the connections. */
  close(): Promise<void>
}

const credentialName = 'smarthost'

/** The addresses of this machine, so that mail which would come back to us is not sent. */
const ownAddresses = (): readonly string[] =>
  Object.values(networkInterfaces()).flatMap(list => (list ?? []).map(address => address.address))

export const createOutbound = (
  config: Config,
  at: Directories,
  env: Pick<Environment, 'clock' | 'random' | 'resolver' | 'journal' | 'store'> &
    Partial<Pick<Environment, 'network' | 'fetchPolicy' | 'smtpPort' | 'allowAddress'>> & {
      /** Counts what becomes of TLS; when absent nothing does. */
      readonly sessions?: TlsSessions | undefined
    },
): Outbound => {
  const { clock, random, resolver, journal, sessions } = env
  const { hostname } = config
  const smarthost = typeof config.outbound === 'object' ? config.outbound.smarthost : undefined
  const login = smarthost === undefined ? undefined : credentialsOf(smarthost, clock)
  const authorities = smarthost === undefined ? undefined : authoritiesOf(smarthost)
  const certificate = smarthost === undefined ? undefined : certificateOf(smarthost)
  const isSmarthost = (host: string, port: number): boolean => host === smarthost?.host && port === smarthost.port
  const clientOver = (network: Network): SmtpClient =>
    createClient({
      network,
      clock,
      hostname,
      journal,
      random,
      convert: config.conversion,
      ...(sessions && { onSession: (to, session) => sessions.session(to.tls, session) }),
    })
  const client = clientOver(egressNetwork(config.egress, env.network))
  const common: Omit<SmtpTransportOptions, 'client'> = {
    resolver,
    random,
    self: { names: [hostname], addresses: env.smtpPort === undefined ? ownAddresses() : [] },
    credentials: name => (name === credentialName ? login : undefined),
    ...(env.smtpPort === undefined ? {} : { port: env.smtpPort }),
    ...(env.allowAddress === undefined ? {} : { allow: env.allowAddress }),
  }
  const smtp = createSmtpTransport({
    ...common,
    client,
    ...(sessions && { sessions }),
    policies: outgoingPolicies(config, env, env.store),
    authorities: (host, port) => (isSmarthost(host, port) ? authorities : undefined),
    certificate: (host, port) => (isSmarthost(host, port) ? certificate : undefined),
  })
  // The server behind us is not reached by the way out.
  const inner = hasEgress(config.egress) ? clientOver(env.network ?? systemNetwork()) : undefined
  const lmtp = inner === undefined ? smtp : createSmtpTransport({ ...common, client: inner })
  const local = createMaildirTransport({ root: at.mail, clock, random, hostname })
  const trap = createTrapTransport({ path: at.trap, clock, random, hostname })
  return {
    client,
    smtp,
    local,
    maildirs: [local, trap],
    probe: (rcpt, signal) => probe(rcpt, { client, hop: smarthost, signal, ...env }),
    transports: { mx: smtp, smtp, lmtp, local, trap },
    plugins: smarthost === undefined ? [] : [smarthostRoute(smarthost, login !== undefined)],
    close: async () => {
      await Promise.all([client.close(), inner?.close()])
    },
  }
}

/** Ours and those that plugins provide. Throws Error when a plugin's has the name of one of ours. */
export const withPluginTransports = (
  ours: Readonly<Record<string, Transport>>,
  chain: Pick<Chain, 'transports'>,
): Readonly<Record<string, Transport>> => {
  const all: Record<string, Transport> = { ...ours }
  for (const [name, run] of chain.transports) {
    if (Object.hasOwn(ours, name))
      throw new StackError(
        `a plugin provides a transport ${JSON.stringify(name)}, but that is one of the stack's own: ${Object.keys(ours).join(', ')}`,
      )
    all[name] = pluginTransport(run)
  }
  return all
}

/** One host is asked, the best one: a probe informs, it does not deliver. */
const probe = async (
  rcpt: Mailbox,
  o: Pick<Environment, 'resolver' | 'random'> &
    Partial<Pick<Environment, 'smtpPort' | 'allowAddress'>> & {
      readonly client: SmtpClient
      readonly hop: { readonly host: string; readonly port: number } | undefined
      readonly signal: AbortSignal
    },
): Promise<Outcome> => {
  const opportunistic = (name: string): TlsNeed => ({ level: 'may', names: [name], because: 'opportunistic' })
  if (o.hop !== undefined)
    return o.client.probe(rcpt, { protocol: 'smtp', ...o.hop, tls: opportunistic(o.hop.host) }, o.signal)
  const found = await findExchanges(
    o.resolver,
    rcpt.domain,
    { self: { names: [], addresses: [] }, random: o.random, ...(o.allowAddress && { allow: o.allowAddress }) },
    o.signal,
  )
  if (!found.ok)
    return { fate: found.permanent ? 'failed' : 'deferred', phase: 'dns', cause: found.cause, status: found.status }
  const [best] = found.hosts
  const ip = best?.addresses[0]
  if (best === undefined || ip === undefined)
    return { fate: 'deferred', phase: 'dns', cause: 'no address', status: '4.4.3' }
  return o.client.probe(
    rcpt,
    { protocol: 'smtp', host: best.name, ip, port: o.smtpPort ?? 25, tls: opportunistic(best.name) },
    o.signal,
  )
}

const smarthostRoute = (
  hop: {
    readonly host: string
    readonly port: number
    readonly tls?: 'never' | 'may' | 'encrypt' | 'verify' | undefined
    readonly implicitTls?: boolean | undefined
  },
  hasLogin: boolean,
): Plugin => {
  const site = `smtp:${hop.host}:${hop.port}`
  const route = {
    via: 'smtp',
    host: hop.host,
    port: hop.port,
    ...(hop.tls === undefined ? {} : { tls: hop.tls }),
    ...(hop.implicitTls === undefined ? {} : { implicitTls: hop.implicitTls }),
    ...(hasLogin ? { credentials: credentialName } : {}),
  } as const
  return definePlugin({
    name: 'smarthost-route',
    setup: () => ({
      route: { order: 'late', run: (_recipient, delivery) => (delivery.site === site ? route : undefined) },
    }),
  })
}
