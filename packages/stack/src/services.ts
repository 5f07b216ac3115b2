import type { Authenticator, Certificates, Intake } from '@posthorn/contracts'
import type { QueueRuns, Service } from '@posthorn/smtp-listener'
import type { Chains } from './chains.ts'
import { limitsOf } from './limits.ts'
import type { ServiceName } from './schema/listeners.ts'
import type { Config } from './schema.ts'

/** What answers on each listening service. */
export const servicesOf = (
  config: Config,
  parts: {
    readonly chains: Chains
    readonly accounts: Authenticator
    readonly certificates: Certificates
    readonly queueRuns: QueueRuns | undefined
    readonly decoySecret: Uint8Array
    readonly intakes: { readonly mx: Intake; readonly submission: Intake; readonly lmtp: Intake }
  },
): Readonly<Record<ServiceName, Service>> => {
  const { chains, accounts, certificates, intakes, queueRuns, decoySecret } = parts
  const { hostname, proxies, xclient, xforward } = config
  const limits = limitsOf(config)
  const common = { hostname, proxies, xclient, xforward }
  const directory = {
    vrfy: config.vrfy === 'trusted',
    expn: config.expn === 'trusted',
    trusted: config.trusted,
    domain: config.domains[0] ?? hostname,
  }
  const dialogue = { ...common, directory, ...(queueRuns === undefined ? {} : { queueRuns }) }
  const deliverBy = { minimumMs: config.deliverBy.minimum }
  const submission = {
    ...dialogue,
    limits: limits.submission,
    priorities: true,
    ...(config.deliverBy.offer === 'off' ? {} : { deliverBy }),
    origin: 'submission',
    protocol: 'smtp',
    chain: chains.submission,
    intake: intakes.submission,
    authenticator: accounts,
    decoySecret,
  } as const
  // TLS state of one listener never serves another: each has its own.
  return {
    mx: {
      ...dialogue,
      limits: limits.mx,
      ...(config.deliverBy.offer === 'everyone' ? { deliverBy } : {}),
      name: 'mx',
      origin: 'mx',
      protocol: 'smtp',
      chain: chains.mx,
      intake: intakes.mx,
      tls: { certificates },
    },
    submission: { ...submission, name: 'submission', tls: { certificates } },
    submissions: { ...submission, name: 'submissions', tls: { certificates }, implicitTls: true },
    lmtp: {
      ...common,
      name: 'lmtp',
      origin: 'lmtp',
      protocol: 'lmtp',
      limits: limits.lmtp,
      // It delivers while the client waits and writes no reports: those are left to the client.
      dsn: false,
      chain: chains.lmtp,
      intake: intakes.lmtp,
      tls: { certificates },
    },
  }
}
