import { isReply } from '@posthorn/reply'
import type { Pass, Permit, Stop } from './verdict.ts'
import { isStop, pass, permit, stopReply } from './verdict.ts'
import { editOf, egressOf, fieldsOf, isText, mailboxOf, resolvedOf, routeOf } from './answer.ts'
import type { Edit, HookName, Recipient } from './hooks.ts'

/** A plugin's answer after the check, as a copy of ours, and its name for the event. */
export interface Judged {
  readonly verdict: string
  readonly value: unknown
}

const stopped = (stop: Stop): Judged => {
  const reply = stopReply(stop)
  const text = `${reply.code} ${reply.enhanced}`
  return 'hangUp' in stop && !isReply(stop)
    ? { verdict: `hang up ${text}`, value: Object.freeze({ hangUp: reply }) }
    : { verdict: text, value: reply }
}

const recipientsOf = (ctx: unknown): readonly Recipient[] => {
  const accepted = fieldOf(ctx, 'accepted')
  return Array.isArray(accepted) ? accepted : []
}
const fieldOf = (x: unknown, name: string): unknown =>
  typeof x === 'object' && x !== null ? (x as { readonly [key: string]: unknown })[name] : undefined

/** Answers per recipient; a key that is nobody accepted in this transaction is nonsense. */
const eachOf = (x: unknown, ctx: unknown): ReadonlyMap<Recipient, Pass | Stop> | undefined => {
  if (!(x instanceof Map)) return undefined
  const accepted = new Set<unknown>(recipientsOf(ctx))
  const each = new Map<Recipient, Pass | Stop>()
  for (const [key, answer] of x as ReadonlyMap<unknown, unknown>) {
    if (!accepted.has(key)) return undefined
    if (answer === pass) continue
    if (!isStop(answer)) return undefined
    each.set(key as Recipient, stopped(answer).value as Stop)
  }
  return each
}

const judgeEnding = (x: unknown, ctx: unknown): Judged | undefined => {
  const ending = fieldsOf(x)
  if (ending === undefined || Object.keys(ending).length !== 1) return undefined
  const { hold, discard } = ending
  if (isText(hold)) return { verdict: 'hold', value: { hold } }
  if (isText(discard)) return { verdict: 'discard', value: { discard } }
  const each = eachOf(ending['each'], ctx)
  return each && { verdict: 'each', value: { each } }
}

const judgeAttempt = (x: unknown): Judged | undefined => {
  const answer = fieldsOf(x)
  if (answer === undefined) return undefined
  const { hold, wait, why } = answer
  if (isText(hold)) return { verdict: 'hold', value: { hold } }
  const isWait = typeof wait === 'number' && wait >= 0 && wait < Infinity && isText(why)
  return isWait ? { verdict: 'wait', value: { wait, why } } : undefined
}

const judgeResolved = (x: unknown): Judged | undefined => {
  const value = resolvedOf(x)
  if (value === undefined) return undefined
  return { verdict: 'mailbox' in value ? 'mailbox' : 'expand' in value ? 'expand' : 'transport', value }
}

const named = (verdict: string, value: unknown): Judged | undefined =>
  value === undefined ? undefined : { verdict, value }

const EVERY_EDIT: readonly (keyof Edit)[] = ['prepend', 'remove', 'addRecipients', 'returnPath', 'tags', 'priority']

/** What hooks may answer besides pass and, where a hook decides, a stop. */
const more: { readonly [H in HookName]?: (answer: unknown, ctx: unknown) => Judged | undefined } = {
  rcpt: answer => (answer === permit ? { verdict: 'permit', value: permit satisfies Permit } : undefined),
  message: judgeEnding,
  attempt: judgeAttempt,
  resolve: judgeResolved,
  stamp: answer => named('edit', editOf(answer, EVERY_EDIT)),
  seal: answer => named('edit', editOf(answer, ['prepend'])),
  returnPath: answer => named('return path', mailboxOf(answer)),
  route: answer => named('route', routeOf(answer)),
  egress: answer => named('egress', egressOf(answer)),
}

const MAY_STOP: ReadonlySet<HookName> = new Set<HookName>([
  'connect',
  'ehlo',
  'auth',
  'mail',
  'rcpt',
  'resolve',
  'data',
  'headers',
  'message',
  'attempt',
])

/** Check one answer that is neither `pass` nor silence; undefined when it is nonsense. May throw what a hostile object throws. */
export const judge = (hook: HookName, answer: unknown, ctx: unknown): Judged | undefined =>
  MAY_STOP.has(hook) && isStop(answer) ? stopped(answer) : more[hook]?.(answer, ctx)
