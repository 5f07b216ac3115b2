import type { Answer, Mx, Resolver, Tlsa } from '@posthorn/contracts'

/** What a name has. A type that is not listed does not exist there; a word instead of records is how asking fails. */
export interface NameRecords {
  readonly mx?: readonly Mx[]
  readonly a?: readonly string[]
  readonly aaaa?: readonly string[]
  readonly txt?: readonly string[]
  readonly ptr?: readonly string[]
  readonly tlsa?: readonly Tlsa[]
}
/** Names in lower case; PTR records stand under the address as text. A name that is not listed does not exist. */
export interface Records {
  readonly [name: string]: NameRecords | 'servfail' | 'timeout' | 'bogus'
}

/** A resolver that answers from a table, at once. */
export const staticResolver = (records: Records): Resolver => {
  const ask =
    <K extends keyof NameRecords>(type: K) =>
    async (name: string): Promise<Answer<NonNullable<NameRecords[K]>[number]>> => {
      const key = name.toLowerCase()
      const found = Object.hasOwn(records, key) ? records[key] : undefined
      if (typeof found === 'string') return { ok: false, why: found, secure: false }
      if (found === undefined) return { ok: false, why: 'nxdomain', secure: false }
      const values = found[type] as NonNullable<NameRecords[K]> | undefined
      if (values === undefined || values.length === 0) return { ok: false, why: 'nodata', secure: false }
      return { ok: true, records: [...values], secure: false, ttl: 300 }
    }
  return { mx: ask('mx'), a: ask('a'), aaaa: ask('aaaa'), txt: ask('txt'), ptr: ask('ptr'), tlsa: ask('tlsa') }
}
