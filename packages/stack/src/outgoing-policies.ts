import { allowedAddress } from '@posthorn/dns'
import {
  createTlsPolicies,
  httpsPolicy,
  type FetchPolicy,
  type TlsPolicies,
  type TlsSessions,
} from '@posthorn/tls-policy'
import type { Environment, Store } from './environment.ts'
import type { Config } from './schema.ts'

type Surroundings = Pick<Environment, 'clock' | 'resolver' | 'journal'> &
  Partial<Pick<Environment, 'network' | 'fetchPolicy' | 'allowAddress'>> & {
    readonly sessions?: TlsSessions | undefined
  }

/** Over the system's network, at the addresses at which mail may be delivered too. */
const overHttps = ({ resolver, allowAddress }: Surroundings): FetchPolicy =>
  httpsPolicy({
    addresses: async (host, signal) => {
      const [v4, v6] = await Promise.all([resolver.a(host, signal), resolver.aaaa(host, signal)])
      return [v4, v6].flatMap(answer => (answer.ok ? answer.records : [])).filter(allowAddress ?? allowedAddress)
    },
  })

/** What other people's domains ask of TLS. A laboratory with a network of its own has MTA-STS only if it says how policies are fetched. */
export const outgoingPolicies = (config: Config, env: Surroundings, store: Store): TlsPolicies => {
  const { dane, mtaSts, domains } = config.outboundTls
  const fetchPolicy = env.fetchPolicy ?? (env.network === undefined ? overHttps(env) : undefined)
  const { resolver, clock, journal } = env
  return createTlsPolicies({
    resolver,
    clock,
    journal,
    dane,
    domains,
    ...(env.sessions && { sessions: env.sessions }),
    ...(mtaSts && fetchPolicy !== undefined ? { mtaSts: { kv: store.keyValue('mta-sts'), fetchPolicy } } : {}),
  })
}
