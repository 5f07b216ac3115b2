import { isAddressLiteral, literalIp } from '@posthorn/address'
import type { Domain } from '@posthorn/address'
import type { Answer, Mx, Random, Resolver } from '@posthorn/contracts'
import ipaddr from 'ipaddr.js'
import { isIpText, plainIp } from './name.ts'

/** A host that takes mail for a domain. */
export interface Exchange {
  readonly name: string
  /** In the order to try them, both families mixed. */
  readonly addresses: readonly string[]
  readonly preference: number
  /** The addresses were vouched for (for DANE, RFC 7672 §2.2.2). */
  readonly secure: boolean
  /** Where a CNAME led to, when there was one. */
  readonly canonical?: string
}

/** Where the mail of a domain goes, in the order to try; or why nowhere. */
export type Exchanges =
  | {
      readonly ok: true
      readonly hosts: readonly Exchange[]
      /** The MX records were vouched for; of an implicit MX, that there are none. */
      readonly secure: boolean
      /** There was no MX: the domain's own addresses count (RFC 5321 §5.1). */
      readonly implicit: boolean
    }
  | {
      readonly ok: false
      /** Trying again will not help. */
      readonly permanent: boolean
      /** Enhanced status for the report. */
      readonly status: string
      /** For people and logs. */
      readonly cause: string
      /** Reply code, where an RFC names one. */
      readonly code?: number
    }

export interface ExchangesOptions {
  /** Ourselves, by name and by address: mail that would come back is not sent. */
  readonly self: { readonly names: readonly string[]; readonly addresses: readonly string[] }
  readonly random: Random
  /** Hosts, and addresses of each, that are used; 20 when absent. */
  readonly limit?: number
  /** Whether mail may be sent to this address; when absent not to loopback, unspecified, link-local or multicast ones. */
  readonly allow?: (ip: string) => boolean
}

type Failure = Extract<Exchanges, { ok: false }>
const permanent = (status: string, cause: string, code?: number): Failure =>
  code === undefined
    ? { ok: false, permanent: true, status, cause }
    : { ok: false, permanent: true, status, cause, code }
const temporary = (cause: string): Failure => ({ ok: false, permanent: false, status: '4.4.3', cause })

// RFC 3463 §3.2, §3.5; RFC 7505 §4.2 names 556.
const noSuchDomain = permanent('5.1.2', 'the domain does not exist')
const nullMx = permanent('5.1.10', 'the domain takes no mail (null MX)', 556)
const loopsBack = permanent('5.4.6', 'mail loops back to myself')
const noAddress = permanent('5.4.4', 'no mail exchanger of the domain has an address')
const notAllowed = permanent('5.4.4', 'the mail exchangers have no address that mail may be sent to')
const noName = permanent('5.4.4', 'the MX records name no host')
const noMail = permanent('5.4.4', 'the domain has neither MX nor address records')

/** An MX of 127.0.0.1 would make us talk to ourselves; private networks may well have their own exchangers. */
const refusedRanges = new Set(['loopback', 'unspecified', 'broadcast', 'multicast', 'linkLocal'])
/** Whether mail may be sent to an address when nobody says otherwise: not to this machine, its link, or many at once. */
export const allowedAddress = (ip: string): boolean => !refusedRanges.has(ipaddr.process(ip).range())

const shuffled = <T>(list: readonly T[], random: Random): T[] => {
  const all = [...list]
  for (let last = all.length - 1; last > 0; last--) {
    const other = random.int(last + 1)
    ;[all[last], all[other]] = [all[other] as T, all[last] as T]
  }
  return all
}

/** One of each family in turn, so that a broken family costs one attempt, not all (RFC 8305 §4). */
export const mixed = (a: readonly string[], b: readonly string[]): string[] =>
  Array.from({ length: Math.max(a.length, b.length) }, (_, i) => [a[i], b[i]])
    .flat()
    .filter(ip => ip !== undefined)

/** What looking for a host's addresses came to. */
type Host =
  | { readonly kind: 'usable'; readonly exchange: Exchange }
  | { readonly kind: 'self' | 'unknown' | 'forbidden' | 'none' | 'no-name' }

const isUnknown = (answer: Answer<unknown>): boolean =>
  !answer.ok && answer.why !== 'nxdomain' && answer.why !== 'nodata'
const listed = (answer: Answer<string>): readonly string[] => (answer.ok ? answer.records : [])

/** Addresses and names of ours, in one spelling. */
interface Rules {
  readonly names: ReadonlySet<string>
  readonly addresses: ReadonlySet<string>
  readonly allow: (ip: string) => boolean
  readonly random: Random
  readonly limit: number
}
const rulesOf = (o: ExchangesOptions): Rules => ({
  names: new Set(o.self.names.map(name => name.toLowerCase().replace(/\.$/, ''))),
  addresses: new Set(o.self.addresses.map(ip => plainIp(ip) ?? ip)),
  allow: o.allow ?? allowedAddress,
  random: o.random,
  limit: o.limit ?? 20,
})

const findHost = async (
  resolver: Resolver,
  { preference, exchange: name }: Mx,
  rules: Rules,
  signal?: AbortSignal,
): Promise<Host> => {
  const [v4, v6] = await Promise.all([resolver.a(name, signal), resolver.aaaa(name, signal)])
  const found = [listed(v6), listed(v4)].map(ips => ips.map(ip => plainIp(ip) ?? ip))
  if (found.flat().some(ip => rules.addresses.has(ip))) return { kind: 'self' }
  const [first = [], second = []] = shuffled(found, rules.random).map(ips =>
    shuffled(ips.filter(rules.allow), rules.random),
  )
  const addresses = mixed(first, second).slice(0, rules.limit)
  if (addresses.length > 0) {
    const used = [v4, v6].filter(answer => answer.ok)
    const canonical = used.find(answer => answer.canonical !== undefined)?.canonical
    const exchange = { name, addresses, preference, secure: used.every(answer => answer.secure) }
    return { kind: 'usable', exchange: canonical === undefined ? exchange : { ...exchange, canonical } }
  }
  if (isUnknown(v4) || isUnknown(v6)) return { kind: 'unknown' }
  if (v4.ok || v6.ok) return { kind: 'forbidden' }
  return { kind: v4.why === 'nxdomain' || v6.why === 'nxdomain' ? 'no-name' : 'none' }
}

/** RFC 5321 §5.1: what is as good as ourselves or worse must not be used. */
const better = <T extends { readonly preference: number }>(
  all: readonly T[],
  isSelf: (one: T, index: number) => boolean,
): { readonly left: readonly T[]; readonly cut: boolean } => {
  const limit = Math.min(...all.filter(isSelf).map(one => one.preference))
  return { left: all.filter(one => one.preference < limit), cut: limit !== Infinity }
}

const toLiteral = (domain: Domain, rules: Rules): Exchanges => {
  const ip = literalIp(domain)
  if (ip === undefined) return permanent('5.1.2', 'the address literal is of an unknown kind')
  if (rules.addresses.has(plainIp(ip) ?? ip)) return loopsBack
  if (!rules.allow(ip)) return notAllowed
  const host = { name: domain, addresses: [ip], preference: 0, secure: false }
  return { ok: true, hosts: [host], secure: false, implicit: true }
}

/** What becomes of a domain without MX whose own address is no use. */
const ends: { readonly [K in Exclude<Host['kind'], 'usable'>]: Failure } = {
  self: loopsBack,
  unknown: temporary('the addresses of the domain cannot be looked up now'),
  forbidden: notAllowed,
  'no-name': noSuchDomain,
  none: noMail,
}

const toDomainItself = async (
  resolver: Resolver,
  domain: Domain,
  rules: Rules,
  secure: boolean,
  signal?: AbortSignal,
): Promise<Exchanges> => {
  const host = await findHost(resolver, { preference: 0, exchange: domain }, rules, signal)
  return host.kind === 'usable' ? { ok: true, hosts: [host.exchange], secure, implicit: true } : ends[host.kind]
}

const toExchangers = async (
  resolver: Resolver,
  records: readonly Mx[],
  rules: Rules,
  secure: boolean,
  signal?: AbortSignal,
): Promise<Exchanges> => {
  if (records.every(({ exchange }) => exchange === '')) return nullMx
  // A null MX among others is a mistake, and so is an address as text: neither is a host's name.
  const named = records.filter(({ exchange }) => exchange !== '' && !isIpText(exchange))
  if (named.length === 0) return noName
  // Shuffled, then sorted: equal preferences come in random order (RFC 5321 §5.1).
  const sorted = shuffled(named, rules.random).sort((a, b) => a.preference - b.preference)
  const byName = better(sorted, ({ exchange }) => rules.names.has(exchange))
  const asked = byName.left.slice(0, rules.limit)
  const hosts = await Promise.all(asked.map(mx => findHost(resolver, mx, rules, signal)))
  const byAddress = better(
    asked.map(({ preference }, i) => ({ preference, host: hosts[i] })),
    ({ host }) => host?.kind === 'self',
  )
  const left = byAddress.left.map(({ host }) => host)
  const usable = left.flatMap(host => (host?.kind === 'usable' ? [host.exchange] : []))
  if (usable.length > 0) return { ok: true, hosts: usable, secure, implicit: false }
  if (left.some(host => host?.kind === 'unknown')) return temporary('no mail exchanger can be looked up now')
  if (byName.cut || byAddress.cut) return loopsBack
  return left.some(host => host?.kind === 'forbidden') ? notAllowed : noAddress
}

/**
 * Where to send the mail of a domain (RFC 5321 §5.1, RFC 7505): its MX hosts by preference, or itself when it has none, without
 * ourselves and what is no better than we. Address literals go to their address. A failing DNS is never a permanent failure.
 * Rejects only with the signal's reason.
 */
export const findExchanges = async (
  resolver: Resolver,
  domain: Domain,
  options: ExchangesOptions,
  signal?: AbortSignal,
): Promise<Exchanges> => {
  const rules = rulesOf(options)
  if (isAddressLiteral(domain)) return toLiteral(domain, rules)
  const mx = await resolver.mx(domain, signal)
  if (mx.ok) return toExchangers(resolver, mx.records, rules, mx.secure, signal)
  if (mx.why === 'nxdomain') return noSuchDomain
  if (mx.why === 'nodata') return toDomainItself(resolver, domain, rules, mx.secure, signal)
  return temporary(`the MX records of the domain cannot be looked up now (${mx.why})`)
}
