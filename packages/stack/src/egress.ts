import { isIP } from 'node:net'
import { haproxyNetwork, socksNetwork, systemNetwork } from '@posthorn/system'
import type { Network } from '@posthorn/contracts'
import type { Config } from './schema.ts'
import { readSecret } from './secret.ts'

type Egress = Config['egress']

const isLoopback = (host: string): boolean => host.startsWith('127.') || host === '::1'

/** Bind connections to an address of ours, of the family that is dialled; on this machine none is needed and none would do. */
const fromSources = (network: Network, { ipv4, ipv6 }: Egress['source']): Network => {
  if (ipv4 === undefined && ipv6 === undefined) return network
  const sources: Readonly<Record<number, string | undefined>> = { 4: ipv4, 6: ipv6 }
  return {
    dial: (to, signal) => {
      const source = to.path !== undefined || isLoopback(to.host) ? undefined : (to.source ?? sources[isIP(to.host)])
      return network.dial(source === undefined ? to : { ...to, source }, signal)
    },
  }
}

const proxied = (proxy: NonNullable<Egress['proxy']>): Network => {
  if ('haproxy' in proxy) return haproxyNetwork(proxy.haproxy)
  const { host, port, user, password } = proxy.socks5
  return socksNetwork({
    host,
    port,
    ...(user === undefined || password === undefined
      ? {}
      : { login: { user, password: readSecret('egress.proxy.socks5.password', password) } }),
  })
}

/**
 * The network over which mail leaves for other people's servers: `given` is that of a laboratory, which has no proxies. Throws ConfigError
 * when the password of a proxy can't be read.
 */
export const egressNetwork = ({ proxy, source }: Egress, given: Network | undefined): Network =>
  fromSources(given ?? (proxy === undefined ? systemNetwork() : proxied(proxy)), source)

/** Whether mail for others leaves in another way than everything else. */
export const hasEgress = ({ proxy, source }: Egress): boolean =>
  proxy !== undefined || source.ipv4 !== undefined || source.ipv6 !== undefined
