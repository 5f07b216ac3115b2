import { literalIp, parseDomain, textOfOctets } from '@posthorn/address'
import { badParameter, badArgument, duplicateParameter } from '@posthorn/reply'
import { xtextDecode } from './xtext.ts'
import type { Reject } from '@posthorn/reply'

/** A value, or `null` where who speaks says that there is none, for good or for now. Absent where nothing was said of it. */
type Said<T> = T | null

/** What XCLIENT puts in the place of what is known of the client (Postfix, XCLIENT_README). */
export interface ClientAttributes {
  readonly name?: Said<string>
  readonly ip?: Said<string>
  readonly port?: Said<number>
  readonly protocol?: 'SMTP' | 'ESMTP'
  readonly helo?: Said<string>
  /** The name under which the client logged in. */
  readonly login?: Said<string>
  /** Where the client connected to. */
  readonly toIp?: Said<string>
  readonly toPort?: Said<number>
}

/** What XFORWARD says of where the next message came from: for logs, never for decisions (Postfix, XFORWARD_README). */
export interface ForwardedAttributes {
  readonly name?: Said<string>
  /** Need not be an IP address. */
  readonly address?: Said<string>
  readonly port?: Said<number>
  readonly protocol?: Said<string>
  readonly helo?: Said<string>
  /** What the message is called there. */
  readonly ident?: Said<string>
  readonly source?: Said<'local' | 'remote'>
}

/** Of a value, still in xtext. */
const LONGEST = 255

type Read<A> = (octets: string) => A | undefined

/** `[UNAVAILABLE]`, in any case of letters; of a name also `[TEMPUNAVAIL]`. */
const unavailable = /^\[(?:UNAVAILABLE|TEMPUNAVAIL)\]$/i

const as =
  <K extends string, V>(key: K, value: (octets: string) => V | undefined): Read<{ readonly [P in K]: Said<V> }> =>
  octets => {
    const said = unavailable.test(octets) ? null : value(octets)
    return said === undefined ? undefined : ({ [key]: said } as { readonly [P in K]: Said<V> })
  }

/** Nothing that means something in a header field or a log: no white space, no control characters, no comments. */
const token =
  (longest: number) =>
  (octets: string): string | undefined =>
    octets.length <= longest && /^[!#$%&'*+\-./0-9:=?@A-Z[\]^_`a-z{|}~]+$/.test(octets) ? octets : undefined
const hostName = (octets: string): string | undefined => (/^[A-Za-z0-9._-]+$/.test(octets) ? octets : undefined)
/** As EHLO takes it. */
const helo = (octets: string): string | undefined => (/^[A-Za-z0-9._:[\]-]+$/.test(octets) ? octets : undefined)
const ip = (octets: string): string | undefined => {
  const bare = octets.replace(/^IPV6:/i, '')
  const domain = parseDomain(bare.includes(':') ? `[IPv6:${bare}]` : `[${bare}]`)
  return domain === undefined ? undefined : literalIp(domain)
}
const port = (octets: string): number | undefined =>
  /^\d{1,5}$/.test(octets) && Number(octets) <= 65_535 ? Number(octets) : undefined
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const control = /[\0-\x1f\x7f]/
const login = (octets: string): string | undefined => {
  const name = textOfOctets(octets)
  return name === undefined || name === '' || control.test(name) ? undefined : name
}

const clientTable: ReadonlyMap<string, Read<ClientAttributes>> = new Map<string, Read<ClientAttributes>>([
  ['NAME', as('name', hostName)],
  ['ADDR', as('ip', ip)],
  ['PORT', as('port', port)],
  [
    'PROTO',
    octets => {
      const protocol = octets.toUpperCase()
      return protocol === 'SMTP' || protocol === 'ESMTP' ? { protocol } : undefined
    },
  ],
  ['HELO', as('helo', helo)],
  ['LOGIN', as('login', login)],
  ['DESTADDR', as('toIp', ip)],
  ['DESTPORT', as('toPort', port)],
])

const forwardedTable: ReadonlyMap<string, Read<ForwardedAttributes>> = new Map<string, Read<ForwardedAttributes>>([
  ['NAME', as('name', token(LONGEST))],
  ['ADDR', as('address', token(LONGEST))],
  ['PORT', as('port', port)],
  ['PROTO', as('protocol', token(64))],
  ['HELO', as('helo', token(LONGEST))],
  ['IDENT', as('ident', token(LONGEST))],
  [
    'SOURCE',
    as('source', octets => {
      const source = octets.toLowerCase()
      return source === 'local' || source === 'remote' ? source : undefined
    }),
  ],
])

/** What EHLO says of each, keyword and attributes. */
export const xclientKeyword: string = `XCLIENT ${[...clientTable.keys()].join(' ')}`
export const xforwardKeyword: string = `XFORWARD ${[...forwardedTable.keys()].join(' ')}`

/** `name=xtext`, again and again; each once in a command. */
const read = <A extends object>(text: string, table: ReadonlyMap<string, Read<A>>): A | Reject => {
  const attributes: Partial<A> = {}
  const seen = new Set<string>()
  for (const [word] of text.matchAll(/[^ ]+/g)) {
    const equals = word.indexOf('=')
    const name = word.slice(0, Math.max(equals, 0)).toUpperCase()
    const reader = table.get(name)
    if (reader === undefined) return badArgument
    if (seen.has(name)) return duplicateParameter
    seen.add(name)
    const value = word.slice(equals + 1)
    const octets = value === '' || value.length > LONGEST ? undefined : xtextDecode(value)
    // What was a newline in xtext is one again now, and is refused with every other character that has no place there.
    const said = octets === undefined ? undefined : reader(octets)
    if (said === undefined) return badParameter
    Object.assign(attributes, said)
  }
  return seen.size === 0 ? badArgument : (attributes as A)
}

/** The attributes of XCLIENT, or why not. */
export const readClientAttributes = (text: string): ClientAttributes | Reject => read(text, clientTable)
/** The same of XFORWARD. */
export const readForwardedAttributes = (text: string): ForwardedAttributes | Reject => read(text, forwardedTable)
