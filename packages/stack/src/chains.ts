import type { Mailbox } from '@posthorn/address'
import { createChain, type Chain, type Entry, type Host, type Plugin } from '@posthorn/plugin'
import type { Clock, Journal, Mailboxes, Random, SenderRights } from '@posthorn/contracts'
import { authRequired, fixUps, senderRights, submissionRelay } from '@posthorn/msa'
import { loopGuard, relayGuard, remoteDomains } from '@posthorn/mta'
import { keepVerdict } from '@posthorn/smtp-listener'
import { lmtpBackend } from './local-delivery.ts'
import { once } from './once.ts'
import type { ServiceName } from './schema/listeners.ts'
import type { Config } from './schema.ts'

/** The chain of each listening service, and that of everything which has left its session behind. */
export interface Chains {
  readonly mx: Chain
  /** Of 587 and 465. */
  readonly submission: Chain
  readonly lmtp: Chain
  /** For reports, injected messages and deliveries. */
  readonly outward: Chain
  stop(): Promise<void>
}

export interface ChainParts {
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
  readonly accounts: SenderRights
  readonly mailboxes: Mailboxes & { readonly plugin: Plugin }
  /** Of the ways out. */
  readonly routes: readonly Plugin[]
  /** Those that know our return paths. */
  readonly bounces: readonly Plugin[]
  readonly host: (plugin: string) => Host
}

export const createChains = async (config: Config, parts: ChainParts): Promise<Chains> => {
  const { clock, random, accounts, mailboxes } = parts
  const isLocalDomain = (domain: string): boolean => mailboxes.isLocalDomain(domain)
  const { hostname } = config
  const others = configured(config)
  const backend =
    typeof config.deliver === 'object'
      ? [
          lmtpBackend(
            {
              address: `${config.deliver.lmtp.host}:${config.deliver.lmtp.port}`,
              recipients: config.deliver.recipients,
            },
            mailboxes,
          ),
        ]
      : []
  const wayOut = remoteDomains({
    isLocalDomain,
    trap: config.outbound === 'trap',
    ...(typeof config.outbound === 'object' ? { smarthost: config.outbound.smarthost } : {}),
  })
  const relay = relayGuard({
    isLocalDomain,
    trusted: config.trusted,
    hostname,
    isMailbox: to => isExactly(to, mailboxes.find(to)),
  })
  const loops = loopGuard({ hostname, maxHops: config.limits.hops })
  const resolve = [...parts.bounces.map(once), ...backend, mailboxes.plugin]

  const make = (plugins: readonly (Plugin | Entry)[]): Promise<Chain> =>
    createChain(plugins, {
      host: parts.host,
      clock,
      onVerdict: keepVerdict,
      onError: (plugin, hook, error) =>
        parts.journal.event(
          'policy.error',
          { plugin, hook, why: error instanceof Error ? error.message : String(error) },
          'error',
        ),
    })
  const mx = await make([relay, ...resolve, wayOut, loops, ...others('mx')])
  const submission = await make([
    authRequired(),
    senderRights(accounts),
    submissionRelay(),
    ...resolve,
    wayOut,
    loops,
    fixUps({ hostname, clock, random }),
    ...others('submission', 'submissions'),
  ])
  // The guard lets nobody name an address elsewhere, but an alias of ours may lead there.
  const lmtp = await make([relay, ...resolve, wayOut, loops, ...others('lmtp')])
  const outward = await make([...resolve, wayOut, ...parts.routes, ...others()])
  return {
    mx,
    submission,
    lmtp,
    outward,
    stop: async () => {
      for (const chain of [mx, submission, lmtp, outward]) await chain.stop()
    },
  }
}

/** Whether an address has a mailbox of just its own name, and not by its detail, an alias or as one of all the others. */
const isExactly = ({ local, domain }: Mailbox, mailbox: string | undefined): boolean => {
  const name = mailbox?.toLowerCase()
  return name === local.toLowerCase() || name === `${local.toLowerCase()}@${domain}`
}

/** The operator's plugins, each set up once; picks those of some services, or without any named, those that ask about queue and delivery. */
const configured = (config: Config): ((...services: readonly ServiceName[]) => readonly Entry[]) => {
  const entries = config.plugins.map(p => {
    const entry = 'use' in p ? p : { use: p }
    return {
      on: 'on' in entry ? entry.on : undefined,
      entry: {
        use: once(entry.use),
        ...('onError' in entry && entry.onError === 'pass' ? { onError: 'pass' as const } : {}),
      },
    }
  })
  return (...services) =>
    entries
      .filter(({ on }) => on === undefined || services.length === 0 || services.some(s => on.includes(s)))
      .map(e => e.entry)
}
