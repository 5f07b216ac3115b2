import ipaddr from 'ipaddr.js'
import type { Mx, Tlsa } from '@posthorn/contracts'
import { isHostName } from './name.ts'
import { readName } from './wire-name.ts'

/** The types that mail asks for, by their number (RFC 1035 §3.2.2, RFC 3596, RFC 6698 §2). */
export const typeNumber = { A: 1, MX: 15, PTR: 12, TXT: 16, AAAA: 28, TLSA: 52 } as const
export type RecordType = keyof typeof typeNumber

/** Types that only steer. */
export const steering = { NS: 2, CNAME: 5, SOA: 6, OPT: 41 } as const

/** What a record of each type says. */
export interface RecordValue {
  A: string
  AAAA: string
  MX: Mx
  TXT: string
  PTR: string
  TLSA: Tlsa
}

/** Where a record's data lies; names in it may point back into the message. */
export interface Rdata {
  readonly message: Uint8Array
  readonly start: number
  readonly end: number
}

/** A name that fills the data from `from` to its very end. */
const nameAt = ({ message, end }: Rdata, from: number): string | undefined => {
  const name = readName(message, from)
  return name?.end === end ? name.text.toLowerCase() : undefined
}
const hostAt = (data: Rdata, from: number): string | undefined => {
  const name = nameAt(data, from)
  return name !== undefined && isHostName(name) ? name : undefined
}
const octets = ({ message, start, end }: Rdata): Uint8Array => message.slice(start, end)

const text = new TextDecoder()
const strings = (data: Rdata): string | undefined => {
  const all = octets(data)
  const joined = new Uint8Array(all.length)
  let length = 0
  for (let at = 0; at < all.length;) {
    const next = at + 1 + (all[at] ?? 0)
    if (next > all.length) return undefined
    joined.set(all.subarray(at + 1, next), length)
    length += next - at - 1
    at = next
  }
  return all.length === 0 ? undefined : text.decode(joined.subarray(0, length))
}

/**
 * Readers of a record's data. Undefined: cut short, too long, or a name that no host may have; such a record is dropped.
 * `dns-packet` reads past the data's end here and takes the next record's octets.
 */
export const readValue: { readonly [T in RecordType]: (data: Rdata) => RecordValue[T] | undefined } = {
  A: data => (data.end - data.start === 4 ? octets(data).join('.') : undefined),
  AAAA: data => (data.end - data.start === 16 ? new ipaddr.IPv6([...octets(data)]).toRFC5952String() : undefined),
  MX: data => {
    const [high, low] = octets(data)
    if (high === undefined || low === undefined) return undefined
    const preference = high * 256 + low
    // The root alone is the null MX (RFC 7505 §3).
    const exchange = nameAt(data, data.start + 2) === '' ? '' : hostAt(data, data.start + 2)
    return exchange === undefined ? undefined : { preference, exchange }
  },
  // RFC 7208 §3.3, RFC 6376 §3.6.2.2: the strings of one record are joined without spaces.
  TXT: strings,
  PTR: data => hostAt(data, data.start),
  TLSA: data => {
    const [usage, selector, matching, ...rest] = octets(data)
    if (usage === undefined || selector === undefined || matching === undefined) return undefined
    return { usage, selector, matching, data: Uint8Array.from(rest) }
  },
}

/** The target of a CNAME. */
export const readTarget = (data: Rdata): string | undefined => nameAt(data, data.start) || undefined

/** The last 32 bits of an SOA: how long "no" may be remembered, in seconds (RFC 2308 §4). */
export const readMinimum = ({ message, start, end }: Rdata): number | undefined =>
  end - start < 22 ? undefined : new DataView(message.buffer, message.byteOffset + end - 4, 4).getUint32(0)
