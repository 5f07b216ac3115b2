import { isIP } from 'node:net'
import type { Handoff, SiteKey } from '@posthorn/contracts'
import type { WorkerPlace } from './environment.ts'
import type { Config } from './schema.ts'

type SiteLimit = Config['sites'][string]

/** The configuration of one of several processes: of what is limited in all, each has its part. */
export const shareOf = (config: Config, { of }: WorkerPlace): Config => {
  const part = (all: number): number => Math.ceil(all / of)
  const { limits, concurrency, bounces } = config
  const partOfLimit = (limit: SiteLimit): SiteLimit => ({
    ...limit,
    ...(limit.connections !== undefined && { connections: part(limit.connections) }),
    ...(limit.rate !== undefined && { rate: { ...limit.rate, ms: limit.rate.ms * of } }),
  })
  return {
    ...config,
    bounces: { ...bounces, successesPerHour: part(bounces.successesPerHour) },
    // One site is in one worker; the sites of a receiver are in all of them.
    sites: Object.fromEntries(
      Object.entries(config.sites).map(([name, limit]) => [name, isOneSite(name) ? limit : partOfLimit(limit)]),
    ),
    limits: {
      ...limits,
      connections: part(limits.connections),
      connectionsPerAddress: part(limits.connectionsPerAddress),
    },
    concurrency: { ...concurrency, total: part(concurrency.total) },
  }
}

/** `mx:example.org`, and not the address of an exchanger that has colons of its own. */
const isOneSite = (name: string): boolean => name.includes(':') && isIP(name) === 0

/** Mail that stays on this machine has no window at another's server to be counted in: whoever takes it in delivers it. */
const staysHere = (site: SiteKey): boolean => site.startsWith('local:') || site.startsWith('trap:')

/** The dispatcher as intakes see it: it takes fresh mail for its own sites only, so that each site's windows stay in one process. */
export const ownSites = (dispatcher: Handoff, { mine }: WorkerPlace): Handoff => ({
  owner: dispatcher.owner,
  leaseMs: dispatcher.leaseMs,
  wants: sites => sites.every(site => staysHere(site) || mine(site)) && dispatcher.wants(sites),
  take: claims => dispatcher.take(claims),
})
