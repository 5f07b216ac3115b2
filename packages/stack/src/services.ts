import type { Certificates, Intake } from '@posthorn/contracts'
import type { Users } from '@posthorn/msa'
import type { Limits, QueueRuns, Service } from '@posthorn/smtp-listener'
import type { Chains } from './chains.ts'
import type { Config, ServiceName } from './schema.ts'

/** Users may have their mail wait for so long (RFC 4865). */
const LONGEST_HOLD = 7 * 86_400_000

/** What answers on each listening service. */
export const servicesOf = (
  config: Config,
  parts: {
    readonly chains: Chains
    readonly users: Users
    readonly certificates: Certificates
    readonly queueRuns: QueueRuns | undefined
    readonly intakes: { readonly mx: Intake; readonly submission: Intake; readonly lmtp: Intake }
  },
): Readonly<Record<ServiceName, Service>> => {
  const { chains, users, certificates, intakes, queueRuns } = parts
  const limits: Partial<Limits> = {
    messageBytes: config.limits.messageSize,
    headerBytes: config.limits.headerSize,
    recipients: config.limits.recipients,
    sessions: config.limits.connections,
    sessionsPerClient: config.limits.connectionsPerAddress,
  }
  const { hostname, proxies, xclient, xforward } = config
  const common = { hostname, limits, proxies, xclient, xforward }
  const directory = {
    vrfy: config.vrfy === 'trusted',
    expn: config.expn === 'trusted',
    trusted: config.trusted,
    domain: config.domains[0] ?? hostname,
  }
  const dialogue = { ...common, directory, ...(queueRuns === undefined ? {} : { queueRuns }) }
  const submission = {
    ...dialogue,
    limits: { ...limits, futureReleaseMs: LONGEST_HOLD },
    priorities: true,
    origin: 'submission',
    protocol: 'smtp',
    chain: chains.submission,
    intake: intakes.submission,
    authenticator: users,
  } as const
  // TLS state of one listener never serves another: each has its own.
  return {
    mx: {
      ...dialogue,
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
      chain: chains.lmtp,
      intake: intakes.lmtp,
      tls: { certificates },
    },
  }
}
