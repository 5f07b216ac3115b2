import type { Mx, Tlsa } from '@posthorn/contracts'
import { plainIp, reversedIp } from './name.ts'
import type { RecordType, RecordValue } from './record.ts'

/** What one name holds. */
export interface ZoneRecords {
  /** The exchange `''` is the null MX. */
  readonly mx?: readonly (Mx | readonly [preference: number, exchange: string])[]
  readonly a?: readonly string[]
  readonly aaaa?: readonly string[]
  readonly txt?: readonly string[]
  readonly tlsa?: readonly Tlsa[]
  /** Of a key that is an IP address. */
  readonly ptr?: readonly string[]
  readonly cname?: string
  /** In seconds; 300 when absent. */
  readonly ttl?: number
  /** As if a validating resolver vouched for it. */
  readonly secure?: boolean
  /** Every question about this name fails so. */
  readonly fails?: 'servfail' | 'timeout' | 'bogus'
}

/**
 * A static part of the DNS: names (lower case, A-labels, no trailing dot) and, for PTR, IP addresses. Looked at with each
 * question, so that a test or the lab may change it while it is served.
 */
export interface Zones {
  readonly [name: string]: ZoneRecords
}

/** What the zones say to one question. CNAMEs are not followed here. */
export type ZoneAnswer<T extends RecordType> =
  | {
      readonly kind: 'records'
      readonly values: readonly RecordValue[T][]
      readonly ttl: number
      readonly secure: boolean
    }
  | { readonly kind: 'cname'; readonly target: string; readonly ttl: number; readonly secure: boolean }
  | { readonly kind: 'none'; readonly why: 'nodata' | 'nxdomain'; readonly secure: boolean }
  | { readonly kind: 'failure'; readonly why: 'servfail' | 'timeout' | 'bogus' }

const values: { readonly [T in RecordType]: (records: ZoneRecords) => readonly RecordValue[T][] } = {
  A: ({ a }) => a ?? [],
  AAAA: ({ aaaa }) => (aaaa ?? []).map(ip => plainIp(ip) ?? ip),
  TXT: ({ txt }) => txt ?? [],
  PTR: ({ ptr }) => ptr ?? [],
  TLSA: ({ tlsa }) => tlsa ?? [],
  MX: ({ mx }) =>
    (mx ?? []).map(record => ('exchange' in record ? record : { preference: record[0], exchange: record[1] })),
}

const find = (zones: Zones, name: string): ZoneRecords | undefined => {
  const key = reversedIp(name) ?? name
  return Object.hasOwn(zones, key) ? zones[key] : undefined
}

/** Ask the zones for one name, lower case. */
export const lookUp = <T extends RecordType>(zones: Zones, name: string, type: T): ZoneAnswer<T> => {
  const records = find(zones, name)
  if (records === undefined) {
    // A name above one that exists, exists (RFC 8020).
    const above = Object.keys(zones).some(key => key.endsWith(`.${name}`))
    return { kind: 'none', why: above ? 'nodata' : 'nxdomain', secure: false }
  }
  if (records.fails !== undefined) return { kind: 'failure', why: records.fails }
  const { ttl = 300, secure = false } = records
  if (records.cname !== undefined) return { kind: 'cname', target: records.cname.toLowerCase(), ttl, secure }
  const found = values[type](records)
  return found.length === 0 ? { kind: 'none', why: 'nodata', secure } : { kind: 'records', values: found, ttl, secure }
}
