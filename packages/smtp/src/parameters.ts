import { isAscii, parseMailbox, textOfOctets } from '@posthorn/address'
import { badParameter, duplicateParameter, unknownParameter } from '@posthorn/reply'
import { xtextDecode } from './xtext.ts'
import type { MailParams, NotifyOn, RcptParams } from './command.ts'
import type { Reject } from '@posthorn/reply'

type Offered = ReadonlySet<string>
type Value = string | undefined

/** One parameter: the EHLO keyword under which it is offered, and what its value says; `undefined` when malformed. */
interface Parameter<P> {
  readonly keyword: string | ((value: Value) => string)
  /** Of several that exclude each other. */
  readonly as?: string
  readonly read: (value: Value, utf8: boolean) => Partial<P> | undefined
}

const printable = /^[\x20-\x7e]*$/

/** RFC 1870 §6: up to twenty digits. What exceeds a safe integer is still a number, and too big for any limit. */
const readSize = (value: Value): Partial<MailParams> | undefined =>
  value !== undefined && /^\d{1,20}$/.test(value) ? { size: Number(value) } : undefined

const bodies: ReadonlyMap<string, Partial<MailParams>> = new Map([
  ['7BIT', { body: '7bit' }],
  ['8BITMIME', { body: '8bitmime' }],
  ['BINARYMIME', { body: 'binarymime' }],
])

const returns: ReadonlyMap<string, Partial<MailParams>> = new Map([
  ['FULL', { ret: 'full' }],
  ['HDRS', { ret: 'hdrs' }],
])

/** RFC 3461 §4.4: at most 100 characters of xtext. What it decodes to goes into a report, and so must be printable. */
const readEnvid = (value: Value): Partial<MailParams> | undefined => {
  const envid = value === undefined || value === '' || value.length > 100 ? undefined : xtextDecode(value)
  return envid !== undefined && printable.test(envid) ? { envid } : undefined
}

/** RFC 4954 §5: a mailbox in xtext, or `<>`. curl puts the mailbox into angle brackets as well. */
const readAuth = (value: Value): Partial<MailParams> | undefined => {
  const octets = value === undefined ? undefined : xtextDecode(value)
  if (octets === '<>') return { auth: null }
  const text = octets === undefined ? undefined : textOfOctets(octets)
  const auth = text === undefined ? undefined : parseMailbox(/^<(.*)>$/.exec(text)?.[1] ?? text)
  return auth && { auth }
}

/** RFC 3461 §4.1: NEVER alone, or a list without repetition. */
const readNotify = (value: Value): Partial<RcptParams> | undefined => {
  const words = value?.toLowerCase().split(',', 4)
  if (words === undefined) return undefined
  if (words.length === 1 && words[0] === 'never') return { notify: 'never' }
  const notify = words.filter(w => w === 'success' || w === 'failure' || w === 'delay') satisfies NotifyOn
  return notify.length === words.length && new Set(notify).size === notify.length ? { notify } : undefined
}

/**
 * RFC 3461 §4.2: a type and an address in xtext, at most 500 characters, printable for the same reason as ENVID. Type `utf-8` may
 * stand unencoded in a transaction with SMTPUTF8 (RFC 6533 §3). Postfix puts the octets of such an address into xtext of type
 * `rfc822`, and it is read as what it is.
 */
const readOrcpt = (value: Value, utf8: boolean): Partial<RcptParams> | undefined => {
  if (value === undefined || value.length > 500) return undefined
  const parts = /^([\w!#$%&'*/?^`{|}~-]+);([^;].*)$/.exec(value)
  if (parts === null) return undefined
  const [, type, written] = parts as unknown as readonly [string, string, string]
  if (!isAscii(written)) {
    const lawful = utf8 && type.toLowerCase() === 'utf-8' && /^[!-*,-<>-~\u00a0-\uffff]+$/.test(written)
    return lawful && written.isWellFormed() ? { orcpt: value } : undefined
  }
  const octets = xtextDecode(written)
  if (octets === undefined) return undefined
  if (printable.test(octets)) return { orcpt: `${type};${octets}` }
  const address = /^(?:rfc822|utf-8)$/i.test(type) ? textOfOctets(octets) : undefined
  return address !== undefined && /^[\x20-\x7e\u00a0-\uffff]+$/.test(address)
    ? { orcpt: `utf-8;${address}` }
    : undefined
}

/** RFC 6710 §3: one digit, signed or not; zero has no sign. */
const readPriority = (value: Value): Partial<MailParams> | undefined =>
  value !== undefined && /^(?:0|-?[1-9])$/.test(value) ? { priority: Number(value) } : undefined

/** RFC 4865 §4.1: one to nine digits. */
const readHoldFor = (value: Value): Partial<MailParams> | undefined =>
  value !== undefined && /^[1-9]\d{0,8}$/.test(value) ? { hold: { seconds: Number(value) } } : undefined

/** RFC 4865 §4.2: a date and time that `Date` reads; it also reads days that no month has, and those are refused. */
const readHoldUntil = (value: Value): Partial<MailParams> | undefined => {
  const parts = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.exec(value ?? '')
  if (parts === null) return undefined
  const [text, day] = parts
  const until = Date.parse(text)
  const midnight = Date.parse(`${day}T00:00:00Z`)
  if (Number.isNaN(until) || Number.isNaN(midnight)) return undefined
  return new Date(midnight).toISOString().startsWith(day ?? '') ? { hold: { until } } : undefined
}

/** RFC 2852 §4: `by-time;by-mode[by-trace]`, at most nine digits. */
const readDeliverBy = (value: Value): Partial<MailParams> | undefined => {
  const [, seconds, mode, trace] = /^([+-]?\d{1,9});([RN])(T?)$/i.exec(value ?? '') ?? []
  if (seconds === undefined) return undefined
  return {
    deliverBy: {
      seconds: Number(seconds),
      mode: mode?.toUpperCase() === 'R' ? 'return' : 'notify',
      trace: trace !== '',
    },
  }
}

const mailParameters: ReadonlyMap<string, Parameter<MailParams>> = new Map<string, Parameter<MailParams>>([
  ['SIZE', { keyword: 'SIZE', read: readSize }],
  [
    'BODY',
    {
      keyword: value => (value?.toUpperCase() === 'BINARYMIME' ? 'BINARYMIME' : '8BITMIME'),
      read: value => bodies.get(value?.toUpperCase() ?? ''),
    },
  ],
  ['SMTPUTF8', { keyword: 'SMTPUTF8', read: value => (value === undefined ? { smtputf8: true } : undefined) }],
  ['REQUIRETLS', { keyword: 'REQUIRETLS', read: value => (value === undefined ? { requireTls: true } : undefined) }],
  ['PRDR', { keyword: 'PRDR', read: value => (value === undefined ? { prdr: true } : undefined) }],
  ['RET', { keyword: 'DSN', read: value => returns.get(value?.toUpperCase() ?? '') }],
  ['ENVID', { keyword: 'DSN', read: readEnvid }],
  ['AUTH', { keyword: 'AUTH', read: readAuth }],
  ['MT-PRIORITY', { keyword: 'MT-PRIORITY', read: readPriority }],
  ['HOLDFOR', { keyword: 'FUTURERELEASE', as: 'HOLD', read: readHoldFor }],
  ['HOLDUNTIL', { keyword: 'FUTURERELEASE', as: 'HOLD', read: readHoldUntil }],
  ['BY', { keyword: 'DELIVERBY', read: readDeliverBy }],
])

const rcptParameters: ReadonlyMap<string, Parameter<RcptParams>> = new Map<string, Parameter<RcptParams>>([
  ['NOTIFY', { keyword: 'DSN', read: readNotify }],
  ['ORCPT', { keyword: 'DSN', read: readOrcpt }],
])

/**
 * Read `SP keyword[=value]` after `SP keyword[=value]` (RFC 5321 §4.1.2), or say which reply refuses them. Stops at the first that
 * is unknown or repeated, so that a line of thousands costs no more than the table is long.
 */
const read = <P extends object>(
  text: string,
  table: ReadonlyMap<string, Parameter<P>>,
  none: P,
  offered: Offered,
  utf8: boolean,
): { readonly params: P } | Reject => {
  if (text === '') return { params: none }
  const params: P = { ...none }
  const seen = new Set<string>()
  for (const [word] of text.matchAll(/[^ ]+/g)) {
    const equals = word.indexOf('=')
    const name = (equals < 0 ? word : word.slice(0, equals)).toUpperCase()
    const value = equals < 0 ? undefined : word.slice(equals + 1)
    const parameter = table.get(name)
    if (parameter === undefined) return unknownParameter
    const as = parameter.as ?? name
    if (seen.has(as)) return duplicateParameter
    seen.add(as)
    const keyword = typeof parameter.keyword === 'string' ? parameter.keyword : parameter.keyword(value)
    if (!offered.has(keyword)) return unknownParameter
    const said = parameter.read(value, utf8)
    if (said === undefined) return badParameter
    Object.assign(params, said)
  }
  return { params }
}

const noMailParams: MailParams = Object.freeze({ smtputf8: false, requireTls: false })
const noRcptParams: RcptParams = Object.freeze({})

/** The parameters of MAIL, from what follows the path: 555 for those not offered, 501 for malformed ones. */
export const readMailParams = (text: string, offered: Offered): { readonly params: MailParams } | Reject =>
  read(text, mailParameters, noMailParams, offered, false)

/** The same for RCPT. `utf8`: the transaction has SMTPUTF8. */
export const readRcptParams = (
  text: string,
  offered: Offered,
  utf8: boolean,
): { readonly params: RcptParams } | Reject => read(text, rcptParameters, noRcptParams, offered, utf8)
