import { parseMailbox } from '@posthorn/address'
import type { Mailbox } from '@posthorn/address'
import { field } from '@posthorn/message'
import type { Notify, Route } from '@posthorn/contracts'
import type { Edit, Egress, Recipient, Resolved } from './hooks.ts'

/*
 * What plugins answer is copied first and checked then: a getter cannot show one thing to the check and another to us, and a
 * plugin that goes on changing its object changes nothing. `undefined` means nonsense.
 */
type Fields = { readonly [key: string]: unknown }

export const fieldsOf = (x: unknown): Fields | undefined =>
  typeof x === 'object' && x !== null && !Array.isArray(x) && !(x instanceof Map) ? { ...x } : undefined

/** Text for logs, names and arguments: printable, not endless. */
export const isText = (x: unknown): x is string => typeof x === 'string' && x.length <= 1000 && !/\p{Cc}/u.test(x)
const isName = (x: unknown): x is string => isText(x) && x !== ''
const isPositive = (x: unknown): x is number => typeof x === 'number' && x > 0 && x < Infinity
const optional = (x: unknown, is: (x: unknown) => boolean): boolean => x === undefined || is(x)
const hasOnly = (fields: Fields, ...names: readonly string[]): boolean =>
  Object.keys(fields).every(key => names.includes(key))

/** The mailbox again, from its wire form: the parts cannot disagree with it. */
export const mailboxOf = (x: unknown): Mailbox | undefined => {
  const wire = fieldsOf(x)?.['wire']
  return typeof wire === 'string' ? parseMailbox(wire, { smtputf8: true }) : undefined
}
const isPath = (x: unknown): boolean => x === null || mailboxOf(x) !== undefined

const isNotify = (x: unknown): x is Notify =>
  x === 'never' || (Array.isArray(x) && x.every(on => on === 'success' || on === 'failure' || on === 'delay'))

const recipientOf = (x: unknown): Recipient | undefined => {
  const fields = fieldsOf(x)
  const to = mailboxOf(fields?.['to'])
  if (fields === undefined || to === undefined) return undefined
  const { orcpt, notify, returnPath } = fields
  if (!optional(orcpt, isText) || !optional(notify, isNotify) || !optional(returnPath, isPath)) return undefined
  return {
    to,
    ...(typeof orcpt === 'string' && { orcpt }),
    ...(isNotify(notify) && { notify: notify === 'never' ? notify : [...notify] }),
    ...(returnPath !== undefined && { returnPath: mailboxOf(returnPath) ?? null }),
  }
}

/** Recipients that a plugin names. */
export const recipientsOf = (x: unknown): readonly Recipient[] | undefined => {
  if (!Array.isArray(x)) return undefined
  const all = x.map(recipientOf).filter(recipient => recipient !== undefined)
  return all.length === x.length ? all : undefined
}

/** A `resolve` answer but a stop. An expansion to nobody is refused: it would lose the mail. */
export const resolvedOf = (x: unknown): Resolved | undefined => {
  const fields = fieldsOf(x)
  if (fields === undefined) return undefined
  const { mailbox, transport, arg, returnPath, keep } = fields
  if (hasOnly(fields, 'mailbox')) return isName(mailbox) ? { mailbox } : undefined
  if (hasOnly(fields, 'transport', 'arg')) return isName(transport) && isText(arg) ? { transport, arg } : undefined
  const expand = recipientsOf(fields['expand'])
  if (!hasOnly(fields, 'expand', 'returnPath', 'keep') || expand === undefined || expand.length === 0) return undefined
  if (!optional(returnPath, isPath) || !optional(keep, isName)) return undefined
  return {
    expand,
    ...(returnPath !== undefined && { returnPath: mailboxOf(returnPath) ?? null }),
    ...(typeof keep === 'string' && { keep }),
  }
}

const isHop = (route: Fields): boolean =>
  hasOnly(route, 'via', 'host', 'port', 'credentials', 'tls', 'implicitTls') &&
  isName(route['host']) &&
  Number.isInteger(route['port']) &&
  Number(route['port']) > 0 &&
  Number(route['port']) < 65_536 &&
  optional(route['credentials'], isName) &&
  optional(route['tls'], tls => ['never', 'may', 'encrypt', 'verify'].includes(String(tls))) &&
  optional(route['implicitTls'], implicit => typeof implicit === 'boolean')

/** A `route` answer. */
export const routeOf = (x: unknown): Route | undefined => {
  const route = fieldsOf(x)
  const isRoute =
    route !== undefined &&
    ((route['via'] === 'mx' && hasOnly(route, 'via', 'domain') && isName(route['domain'])) ||
      ((route['via'] === 'smtp' || route['via'] === 'lmtp') && isHop(route)) ||
      (route['via'] === 'transport' &&
        hasOnly(route, 'via', 'name', 'arg') &&
        isName(route['name']) &&
        isText(route['arg'])))
  return isRoute ? (route as Route) : undefined
}

/** An `egress` answer. */
export const egressOf = (x: unknown): Egress | undefined => {
  const egress = fieldsOf(x)
  const isEgress =
    egress !== undefined &&
    hasOnly(egress, 'lane', 'concurrency', 'perSecond', 'messagesPerConnection', 'source') &&
    optional(egress['lane'], isName) &&
    optional(egress['source'], isName) &&
    optional(egress['concurrency'], isPositive) &&
    optional(egress['perSecond'], isPositive) &&
    optional(egress['messagesPerConnection'], isPositive)
  return isEgress ? egress : undefined
}

type NameAndValue = readonly [name: string, value: string]

/** Pairs of name and value that make fields; throws RangeError, as `field` does, on what could begin another one. */
const prependOf = (x: unknown): readonly NameAndValue[] | undefined => {
  if (!Array.isArray(x)) return undefined
  const pairs: NameAndValue[] = []
  for (const pair of x as readonly unknown[]) {
    if (!Array.isArray(pair) || pair.length !== 2) return undefined
    const [name, value] = pair as readonly unknown[]
    if (typeof name !== 'string' || typeof value !== 'string') return undefined
    field(name, value)
    pairs.push([name, value])
  }
  return pairs
}

const textsOf = (x: unknown): readonly string[] | undefined =>
  Array.isArray(x) && x.every(isName) ? [...x] : undefined

/** A `stamp` answer; of `seal` too, which may have `prepend` only. */
export const editOf = (x: unknown, allowed: readonly (keyof Edit)[]): Edit | undefined => {
  const edit = fieldsOf(x)
  if (edit === undefined || !hasOnly(edit, ...allowed)) return undefined
  const { returnPath, priority } = edit
  const prepend = edit['prepend'] === undefined ? [] : prependOf(edit['prepend'])
  const remove = edit['remove'] === undefined ? [] : textsOf(edit['remove'])
  const tags = edit['tags'] === undefined ? [] : textsOf(edit['tags'])
  const addRecipients = edit['addRecipients'] === undefined ? [] : recipientsOf(edit['addRecipients'])
  if (prepend === undefined || remove === undefined || tags === undefined || addRecipients === undefined)
    return undefined
  if (!optional(returnPath, isPath) || !optional(priority, Number.isSafeInteger)) return undefined
  return {
    prepend,
    remove,
    tags,
    addRecipients,
    ...(returnPath !== undefined && { returnPath: mailboxOf(returnPath) ?? null }),
    ...(typeof priority === 'number' && { priority }),
  }
}
