import { BlockList, isIPv6 } from 'node:net'
import type { Queue } from '@posthorn/contracts'
import type { QueueRuns } from '@posthorn/smtp-listener'
import type { Config } from './schema.ts'

/** Who may ask for the mail of one domain. */
interface Owners {
  readonly networks: BlockList
  readonly users: ReadonlySet<string>
}

const ownersOf = (who: readonly string[]): Owners => {
  const networks = new BlockList()
  const users = new Set<string>()
  for (const one of who) {
    const [ip = '', bits] = one.split('/')
    if (bits === undefined) users.add(one)
    else networks.addSubnet(ip, Number(bits), isIPv6(ip) ? 'ipv6' : 'ipv4')
  }
  return { networks, users }
}

/** Deliveries on demand, for the domains that the configuration names; nothing where it names none. */
export const queueRuns = (config: Config, queue: Pick<Queue, 'change'>): QueueRuns | undefined => {
  const domains = new Map(Object.entries(config.etrn).map(([domain, who]) => [domain, ownersOf(who)]))
  if (domains.size === 0) return undefined
  return {
    allowed: ({ domain, withSubdomains, ip, user }) =>
      [...domains]
        .filter(([name]) => name === domain || (withSubdomains && name.endsWith(`.${domain}`)))
        .filter(
          ([, { networks, users }]) =>
            (user !== undefined && users.has(user)) || networks.check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4'),
        )
        .map(([name]) => name),
    start: async (names, by) => {
      let waiting = 0
      for (const name of names)
        waiting += await queue.change(
          { and: [{ field: 'domain', op: '=', value: name }] },
          { do: 'retry', why: 'asked for by ETRN' },
          `etrn ${by}`,
        )
      return waiting
    },
  }
}
