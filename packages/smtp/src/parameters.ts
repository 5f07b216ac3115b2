import { isAscii, parseMailbox, textOfOctets } from '@posthorn/address'
import { badParameter, duplicateParameter, unknownParameter } from '@posthorn/reply'
import { xtextDecode } from './xtext.ts'
import type { MailParams, NotifyOn, RcptParams } from './command.ts'
import type { Reject } from '@posthorn/reply'

type Writable<T> = { -readonly [K in keyof T]: T[K] }
type Offered = ReadonlySet<string>

/** One parameter: the EHLO keyword under which it is offered, and how its value is read into `into`; `false` when malformed. */
interface Parameter<P> {
  readonly keyword: string | ((value: string | undefined) => string)
  readonly read: (value: string | undefined, into: Writable<P>, utf8: boolean) => boolean
}

const printable = /^[\x20-\x7e]*$/

const bodies: ReadonlyMap<string, NonNullable<MailParams['body']>> = new Map([
  ['7BIT', '7bit'],
  ['8BITMIME', '8bitmime'],
  ['BINARYMIME', 'binarymime'],
])

const readAuth = (value: string | undefined): MailParams['auth'] => {
  const decoded = value === undefined ? undefined : xtextDecode(value)
  if (decoded === undefined) return undefined
  if (decoded === '<>') return null
  const text = textOfOctets(decoded)
  return text === undefined ? undefined : parseMailbox(text)
}

/** RFC 3461 §4.1: NEVER alone, or a list without repetition. */
const readNotify = (value: string | undefined): NotifyOn | undefined => {
  const words = value?.toLowerCase().split(',', 4)
  if (words === undefined) return undefined
  if (words.length === 1 && words[0] === 'never') return 'never'
  const known = words.filter(w => w === 'success' || w === 'failure' || w === 'delay')
  return known.length === words.length && new Set(known).size === known.length ? known : undefined
}

/**
 * RFC 3461 §4.2, at most 500 characters. What it decodes to must be printable, or a report would carry the control characters
 * on. Type `utf-8` may stand unencoded in a transaction with SMTPUTF8 (RFC 6533 §3).
 */
const readOrcpt = (value: string | undefined, utf8: boolean): string | undefined => {
  if (value === undefined || value.length > 500) return undefined
  const semicolon = value.indexOf(';')
  const type = value.slice(0, semicolon)
  const rest = value.slice(semicolon + 1)
  if (semicolon < 1 || rest === '' || !/^[\w!#$%&'*/?^`{|}~-]+$/.test(type)) return undefined
  if (!isAscii(rest)) {
    if (!utf8 || type.toLowerCase() !== 'utf-8' || /[^!-*,-<>-~\u00a0-\uffff]/.test(rest)) return undefined
    return value
  }
  const address = xtextDecode(rest)
  return address !== undefined && printable.test(address) ? `${type};${address}` : undefined
}

const mailParameters: ReadonlyMap<string, Parameter<MailParams>> = new Map<string, Parameter<MailParams>>([
  [
    'SIZE',
    {
      keyword: 'SIZE',
      read: (value, into) => {
        if (value === undefined || !/^\d{1,20}$/.test(value)) return false
        into.size = Number(value)
        return true
      },
    },
  ],
  [
    'BODY',
    {
      keyword: value => (value?.toUpperCase() === 'BINARYMIME' ? 'BINARYMIME' : '8BITMIME'),
      read: (value, into) => {
        const body = bodies.get(value?.toUpperCase() ?? '')
        if (body === undefined) return false
        into.body = body
        return true
      },
    },
  ],
  ['SMTPUTF8', { keyword: 'SMTPUTF8', read: (value, into) => (into.smtputf8 = value === undefined) }],
  ['REQUIRETLS', { keyword: 'REQUIRETLS', read: (value, into) => (into.requireTls = value === undefined) }],
  [
    'RET',
    {
      keyword: 'DSN',
      read: (value, into) => {
        const ret = value?.toLowerCase()
        if (ret !== 'full' && ret !== 'hdrs') return false
        into.ret = ret
        return true
      },
    },
  ],
  [
    'ENVID',
    {
      keyword: 'DSN',
      read: (value, into) => {
        const envid = value === undefined || value === '' || value.length > 100 ? undefined : xtextDecode(value)
        if (envid === undefined || !printable.test(envid)) return false
        into.envid = envid
        return true
      },
    },
  ],
  [
    'AUTH',
    {
      keyword: 'AUTH',
      read: (value, into) => {
        const auth = readAuth(value)
        if (auth === undefined) return false
        into.auth = auth
        return true
      },
    },
  ],
])

const rcptParameters: ReadonlyMap<string, Parameter<RcptParams>> = new Map<string, Parameter<RcptParams>>([
  [
    'NOTIFY',
    {
      keyword: 'DSN',
      read: (value, into) => {
        const notify = readNotify(value)
        if (notify === undefined) return false
        into.notify = notify
        return true
      },
    },
  ],
  [
    'ORCPT',
    {
      keyword: 'DSN',
      read: (value, into, utf8) => {
        const orcpt = readOrcpt(value, utf8)
        if (orcpt === undefined) return false
        into.orcpt = orcpt
        return true
      },
    },
  ],
])

/**
 * Read `SP keyword[=value]` after `SP keyword[=value]` into `into`; the reply that refuses them when they cannot stand. Stops at
 * the first that is unknown or repeated, so that a line of thousands costs no more than the table is long.
 */
const read = <P>(
  text: string,
  table: ReadonlyMap<string, Parameter<P>>,
  into: Writable<P>,
  offered: Offered,
  utf8: boolean,
): Reject | undefined => {
  const seen = new Set<string>()
  for (const [word] of text.matchAll(/[^ ]+/g)) {
    const equals = word.indexOf('=')
    const name = (equals < 0 ? word : word.slice(0, equals)).toUpperCase()
    const value = equals < 0 ? undefined : word.slice(equals + 1)
    const parameter = table.get(name)
    if (parameter === undefined) return unknownParameter
    if (seen.has(name)) return duplicateParameter
    seen.add(name)
    const keyword = typeof parameter.keyword === 'string' ? parameter.keyword : parameter.keyword(value)
    if (!offered.has(keyword)) return unknownParameter
    if (!parameter.read(value, into, utf8)) return badParameter
  }
  return undefined
}

const noMailParams: MailParams = Object.freeze({ smtputf8: false, requireTls: false })
const noRcptParams: RcptParams = Object.freeze({})

/** The parameters of MAIL, from what follows the path (RFC 5321 §4.1.1.11). */
export const readMailParams = (text: string, offered: Offered): { readonly params: MailParams } | Reject => {
  if (text === '') return { params: noMailParams }
  const params: Writable<MailParams> = { smtputf8: false, requireTls: false }
  return read(text, mailParameters, params, offered, false) ?? { params }
}

/** The same for RCPT. `utf8`: the transaction has SMTPUTF8. */
export const readRcptParams = (
  text: string,
  offered: Offered,
  utf8: boolean,
): { readonly params: RcptParams } | Reject => {
  if (text === '') return { params: noRcptParams }
  const params: Writable<RcptParams> = {}
  return read(text, rcptParameters, params, offered, utf8) ?? { params }
}
