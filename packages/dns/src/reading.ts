import type { Answer } from '@posthorn/contracts'
import { askable } from './name.ts'
import type { Message } from './message.ts'
import { readMinimum, readTarget, readValue, steering, typeNumber } from './record.ts'
import type { RecordType, RecordValue } from './record.ts'

/** What a reply means for one question. */
export type Reading<T> =
  /** Settled; to be remembered for so many seconds, 0 for not at all. */
  | { readonly answer: Answer<T>; readonly lifetime: number }
  /** An alias whose end is not in this reply: ask on. */
  | { readonly follow: string; readonly ttl: number; readonly hops: number; readonly secure: boolean }
  /** Cut short, contradictory, or the server's own failure: ask another. */
  | 'broken'

/** A chain of CNAMEs is followed so far, over however many replies. */
export const mostHops = 8
const day = 86_400
/** RFC 2308 §5: one to three hours work well for negative answers. */
const longestNo = 3 * 3600

const nameError = 3

const negative = <T>(message: Message, why: 'nxdomain' | 'nodata', secure: boolean, most: number): Reading<T> => {
  const soa = message.authorities.find(record => record.type === steering.SOA)
  const minimum = soa && readMinimum(soa)
  // Without an SOA there is no lifetime to go by (RFC 2308 §5).
  const lifetime = soa === undefined || minimum === undefined ? 0 : Math.min(soa.ttl, minimum, longestNo, most)
  return { answer: { ok: false, why, secure }, lifetime }
}

/** An answer with neither data nor SOA but with NS is a referral from a server that does not recurse (RFC 2308 §2.2). */
const isReferral = (message: Message): boolean =>
  !message.authoritative &&
  message.authorities.some(record => record.type === steering.NS) &&
  !message.authorities.some(record => record.type === steering.SOA)

/** Read a reply to `name`. `hops` CNAMEs were followed already in replies before; `secure` says whether the AD bit counts. */
export const readReply = <T extends RecordType>(
  message: Message,
  name: string,
  type: T,
  secure: boolean,
  hops: number,
): Reading<RecordValue[T]> => {
  if (!message.whole || message.truncated || (message.rcode !== 0 && message.rcode !== nameError)) return 'broken'
  let owner = name
  let ttl = day
  for (;;) {
    const records = message.answers.filter(record => record.name === owner && record.type === typeNumber[type])
    if (records.length > 0) {
      const values = records.map(readValue[type]).filter(value => value !== undefined)
      if (values.length === 0) return 'broken'
      ttl = Math.min(ttl, ...records.map(record => record.ttl))
      const answer = { ok: true, records: values, secure, ttl } as const
      return { answer: owner === name ? answer : { ...answer, canonical: owner }, lifetime: ttl }
    }
    const alias = message.answers.find(record => record.name === owner && record.type === steering.CNAME)
    if (alias === undefined) break
    const target = askable(readTarget(alias) ?? '')
    if (target === undefined || ++hops > mostHops) return 'broken'
    ttl = Math.min(ttl, alias.ttl)
    owner = target
  }
  if (message.rcode === nameError) return negative(message, 'nxdomain', secure, ttl)
  const hasSoa = message.authorities.some(record => record.type === steering.SOA)
  if (owner !== name && !hasSoa) return { follow: owner, ttl, hops, secure }
  return isReferral(message) ? 'broken' : negative(message, 'nodata', secure, ttl)
}
