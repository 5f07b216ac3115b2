import type { Domain } from '@posthorn/address'
import type { Outcome, Random, Resolver, Route } from '@posthorn/contracts'
import { findExchanges, mixed } from '@posthorn/dns'
import type { Exchange } from '@posthorn/dns'
import ipaddr from 'ipaddr.js'

/** One address to try. */
export interface Hop {
  /** For display, for TLS and, without `ip`, for the network to look up itself. */
  readonly host: string
  readonly ip?: string
  readonly port: number
  /** A local socket instead of host and port. */
  readonly path?: string
  /** Of a domain, and what the DNS vouches for; absent when the operator named the host. */
  readonly exchange?: Exchange
}
/** Where an attempt may go, best first; or why nowhere. */
export type Hops =
  | {
      readonly ok: true
      readonly hops: readonly Hop[]
      /** The hosts are those we mean: configured, or vouched for by DNSSEC. */
      readonly secure: boolean
    }
  | { readonly ok: false; readonly outcome: Outcome }

export interface HopsOptions {
  readonly resolver: Resolver
  readonly self: { readonly names: readonly string[]; readonly addresses: readonly string[] }
  readonly random: Random
  /** Of exchangers. */
  readonly port: number
  /** Addresses tried in one attempt. */
  readonly most: number
  readonly allow?: (ip: string) => boolean
}

/** Where routes to an address lead: found out once, since a site keeps its route. */
const literals = new WeakMap<Route, Hops>()

/** Find the addresses that a route leads to. Rejects only with the signal's reason. */
export const hopsOf = (route: Route, o: HopsOptions, signal: AbortSignal): Promise<Hops> | Hops => {
  if (route.via === 'mx') return throughMx(route.domain, o, signal)
  if (route.via === 'transport') {
    const cause = `${route.name} is not for the network`
    return { ok: false, outcome: { fate: 'deferred', phase: 'route', cause, status: '4.3.5', notTried: true } }
  }
  const { host, port } = route
  if (host.startsWith('/')) return { ok: true, hops: [{ host: 'localhost', port, path: host }], secure: true }
  const literal = literals.get(route)
  if (literal !== undefined) return literal
  if (ipaddr.isValid(host)) {
    const hops: Hops = { ok: true, hops: [{ host, ip: host, port }], secure: true }
    literals.set(route, hops)
    return hops
  }
  return toHost(host, port, { o, signal })
}

const throughMx = async (domain: string, o: HopsOptions, signal: AbortSignal): Promise<Hops> => {
  const { resolver, self, random, port, most, allow } = o
  const options = { self, random, limit: most, ...(allow === undefined ? undefined : { allow }) }
  // Site keys are made of checked domains.
  const found = await findExchanges(resolver, domain as Domain, options, signal)
  if (!found.ok) {
    const { cause, status } = found
    return { ok: false, outcome: { fate: found.permanent ? 'failed' : 'deferred', phase: 'dns', cause, status } }
  }
  const taken = shares(found.hosts, most)
  const hops = found.hosts.flatMap((exchange, i) =>
    exchange.addresses.slice(0, taken[i]).map(ip => ({ host: exchange.name, ip, port, exchange })),
  )
  return { ok: true, hops, secure: found.secure }
}

/**
 * How many addresses of each host are tried when not all of them are: one of each host before a second of any, so that a first host
 * with many addresses does not keep us from the others (RFC 5321 §5.1).
 */
const shares = (hosts: readonly { readonly addresses: readonly string[] }[], most: number): readonly number[] => {
  const taken = hosts.map(() => 0)
  let left = most
  for (let more = true; more && left > 0;) {
    more = false
    for (const [i, { addresses }] of hosts.entries()) {
      const has = taken[i] ?? 0
      if (left === 0 || has >= addresses.length) continue
      taken[i] = has + 1
      left--
      more = true
    }
  }
  return taken
}

/** The names of the hosts that take a domain's mail, best first, itself when it has no MX; none when they cannot be found. */
export const exchangeNames = async (
  resolver: Resolver,
  domain: string,
  signal: AbortSignal,
): Promise<readonly string[]> => {
  if (domain.startsWith('[')) return [domain]
  const answer = await resolver.mx(domain, signal)
  if (!answer.ok) return answer.why === 'nodata' ? [domain] : []
  const hosts = answer.records.filter(({ exchange }) => exchange !== '')
  return hosts.toSorted((a, b) => a.preference - b.preference).map(({ exchange }) => exchange)
}

/** A host that the operator named. What the DNS does not know may stand in the system's own table, so the network looks it up then. */
const toHost = async (
  host: string,
  port: number,
  { o, signal }: { o: HopsOptions; signal: AbortSignal },
): Promise<Hops> => {
  const bare: Hops = { ok: true, hops: [{ host, port }], secure: true }
  if (!host.includes('.')) return bare
  const [v6, v4] = await Promise.all([o.resolver.aaaa(host, signal), o.resolver.a(host, signal)])
  const addresses = mixed(v4.ok ? v4.records : [], v6.ok ? v6.records : [])
  if (addresses.length === 0) return bare
  return { ok: true, hops: addresses.slice(0, o.most).map(ip => ({ host, ip, port })), secure: true }
}
