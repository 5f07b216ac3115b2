import type { Attempt, Claim, EventName, Fate, Outcome, Random } from '@posthorn/contracts'
import { deadlineOf, lateStatus, noticeOf, tellsOfRelay, tooLate } from './deliver-by.ts'
import { isOwed, reportsTo } from './owed.ts'
import type { Action } from '@posthorn/dsn'
import { hintedPause } from './hint.ts'
import { ageOf, expiryOf } from './policy.ts'
import type { DeliveryContext } from './delivery-context.ts'
import type { Lifetime } from './policy.ts'
import { hintedDelay, retryDelay } from './schedule.ts'

/** What is to be done about one recipient after one attempt. */
export interface Judgement {
  readonly claim: Claim
  readonly outcome: Outcome
  /** `release`: the lease is given back and nothing counts as tried. */
  readonly fate: Fate | { readonly to: 'release'; readonly due: number; readonly why: string }
  readonly attempt?: Attempt
  /** Absent when nothing was tried just now. */
  readonly when?: When
  /** What the `settled` hook sees; absent when nobody listens. */
  context?: DeliveryContext
  /** The report that the sender is owed. */
  readonly report?: Action | undefined
  readonly event: EventName
  /** The enhanced status for the report and the log. */
  readonly status: string
}
/** When an attempt was made, wall time in ms, and how long it took. */
export interface When {
  readonly at: number
  readonly now: number
  readonly ms: number
}

/** Persistent transient failure, delivery time expired (RFC 3463 §3.5). */
const expiredStatus = '4.4.7'

/** Turn what became of an attempt into the recipient's fate. Pure but for chance, which spreads the next attempts. */
export const judge = (claim: Claim, outcome: Outcome, when: When, life: Lifetime, random: Random): Judgement => {
  const { fate } = outcome
  if (fate === 'deferred' || fate === 'unknown') return postponed(claim, outcome, when, life, random)
  if (fate === 'failed')
    return failed(claim, { outcome, when, life }, statusOf(outcome, '5.0.0'), reasonOf(outcome), 'delivery.bounced')
  return succeeded(claim, { outcome, when, life }, fate)
}

/** What came of a try, and the policy by which it is judged. */
interface End {
  readonly outcome: Outcome
  /** Absent when nothing was tried just now. */
  readonly when: When | undefined
  readonly life: Lifetime
}

const succeeded = (
  claim: Claim,
  { outcome, when, life }: End & { readonly when: When },
  fate: 'delivered' | 'relayed' | 'expanded',
): Judgement => {
  // A next hop that took over the duty reports itself (RFC 3461 §5.2.1), an LMTP server too.
  const owed = outcome.dsnTakenOver !== true && isOwed(fate, claim, life)
  const traced = fate === 'relayed' && reportsTo(claim) !== null && tellsOfRelay(claim, outcome)
  const report = owed || traced ? fate : undefined
  return {
    claim,
    outcome,
    fate: { to: fate },
    attempt: attemptOf(outcome, when),
    when,
    ...(report === undefined ? undefined : { report }),
    event: `delivery.${fate}`,
    status: statusOf(outcome, '2.0.0'),
  }
}

const failed = (
  claim: Claim,
  { outcome, when, life }: End,
  status: string,
  why: string,
  event: EventName,
): Judgement => ({
  claim,
  outcome,
  fate: { to: 'failed', why },
  ...(when === undefined ? undefined : { attempt: attemptOf(outcome, when), when }),
  ...(isOwed('failed', claim, life) ? { report: 'failed' as const } : undefined),
  event,
  status,
})

const postponed = (claim: Claim, outcome: Outcome, when: When, life: Lifetime, random: Random): Judgement => {
  const why = reasonOf(outcome)
  const age = ageOf(claim, when.now)
  const expires = expiryOf(claim, life)
  if (when.now >= expires && isTried(claim, outcome))
    return expired(claim, { outcome, when: outcome.notTried === true ? undefined : when, life })
  if (outcome.notTried === true) {
    const due = Math.min(when.now + retryDelay(life.retry, { age: 0, attempts: 1 }, random), deadlineOf(claim))
    return {
      claim,
      outcome,
      fate: { to: 'release', due, why },
      when,
      event: 'delivery.deferred',
      status: statusOf(outcome, '4.0.0'),
    }
  }
  const hint = outcome.reply && hintedPause(outcome.reply)
  const pause = hintedDelay(life.retry, { age, attempts: claim.attempts + 1, hint }, random)
  // The last attempt is made when the time is up, not a whole pause later; so is the one whose failure the sender hears of.
  const notice = noticeOf(claim)
  const isNoticed = when.now >= notice
  const due = Math.min(when.now + pause, expires, isNoticed ? Infinity : notice)
  const unknown = outcome.fate === 'unknown'
  const late = isNoticed || (isLate(claim, age, life) && isOwed('delayed', claim, life))
  return {
    claim,
    outcome,
    fate: { to: unknown ? 'unknown' : 'retry', due, why },
    attempt: attemptOf(outcome, when),
    when,
    ...(late ? { report: 'delayed' as const } : undefined),
    event: unknown ? 'delivery.unknown' : 'delivery.deferred',
    status: statusOf(outcome, '4.0.0'),
  }
}

/** Whether its age has passed another of the ages at which the sender is told. */
const isLate = ({ arrived, warned = arrived }: Claim, age: number, { warnAfterMs }: Lifetime): boolean =>
  warnAfterMs.some(ms => age >= ms && warned < arrived + ms)

/** Nothing is given up that was never tried; what was is, even when it is our own fault that it cannot be tried just now. */
const isTried = (claim: Claim, outcome: Outcome): boolean => outcome.notTried !== true || claim.attempts > 0

/** What a policy said before anything was tried; nobody is told of it. */
export const policy: Outcome = { fate: 'deferred', phase: 'route', cause: 'policy', notTried: true }

/** Neither tried nor given up: given back untried, or held. */
export const put = (claim: Claim, fate: Judgement['fate']): Judgement => ({
  claim,
  outcome: policy,
  fate,
  event: fate.to === 'held' ? 'delivery.held' : 'delivery.deferred',
  status: '4.7.0',
})

/** A policy wants the delivery to wait. What was tried before does not wait beyond its time; what never was waits as long as it is told. */
export const waiting = (claim: Claim, wait: { ms: number; why: string }, now: number, life: Lifetime): Judgement => {
  const expires = claim.attempts > 0 ? expiryOf(claim, life) : deadlineOf(claim)
  if (now >= expires) return expired(claim, { outcome: { ...policy, cause: wait.why }, when: undefined, life })
  return put(claim, { to: 'release', due: Math.min(now + wait.ms, expires), why: wait.why })
}

/** Give up on a delivery whose time is up. Without `when` nothing was tried just now; the caller has seen to it that something was before. */
export const expired = (claim: Claim, end: End): Judgement => {
  const byDeadline = expiryOf(claim, end.life) === deadlineOf(claim)
  return failed(
    claim,
    end,
    byDeadline ? lateStatus : expiredStatus,
    `time is up: ${reasonOf(end.outcome)}`,
    'delivery.expired',
  )
}

/**
 * Its time is over before this attempt (RFC 2852 §4.1). What was to come back unless it was delivered by now does, tried or not; of the
 * rest the sender hears before it is tried.
 */
export const overdue = (claim: Claim, now: number, life: Lifetime): Judgement => {
  const { cause } = tooLate
  if (now >= deadlineOf(claim))
    return failed(claim, { outcome: tooLate, when: undefined, life }, lateStatus, cause, 'delivery.expired')
  if (now < noticeOf(claim)) return put(claim, { to: 'release', due: now, why: cause })
  const outcome: Outcome = { ...tooLate, fate: 'deferred', status: expiredStatus }
  const fate = { to: 'retry', due: now, why: cause } as const
  return { claim, outcome, fate, report: 'delayed', event: 'delivery.deferred', status: expiredStatus }
}

/** What an operator wants returned, without an attempt. */
export const returned = (claim: Claim, why: string, life: Lifetime): Judgement => {
  const outcome: Outcome = { fate: 'failed', phase: 'local', cause: why }
  return failed(claim, { outcome, when: undefined, life }, '5.0.0', why, 'delivery.bounced')
}

const statusOf = (outcome: Outcome, otherwise: string): string =>
  outcome.reply?.enhanced ??
  outcome.status ??
  (outcome.reply ? `${Math.trunc(outcome.reply.code / 100)}.0.0` : otherwise)

/** One line for people: who said what, or what went wrong. */
export const reasonOf = (outcome: Outcome): string => {
  const { reply, remote } = outcome
  if (reply === undefined) return remote === undefined ? outcome.cause : `${remote}: ${outcome.cause}`
  const said = [reply.code, reply.enhanced, ...reply.lines].filter(x => x !== undefined && x !== '').join(' ')
  return `${remote ?? 'peer'} said: ${said}`.slice(0, 1000)
}

const attemptOf = (outcome: Outcome, when: When): Attempt => ({
  at: when.at,
  phase: outcome.phase,
  cause: outcome.cause,
  ms: when.ms,
  ...(outcome.remote === undefined ? undefined : { remote: outcome.remote }),
  ...(outcome.reply === undefined ? undefined : { reply: outcome.reply }),
  ...(outcome.tls === undefined ? undefined : { tls: tlsText(outcome.tls) }),
  ...(outcome.tlsPolicy === undefined ? undefined : { tlsPolicy: outcome.tlsPolicy }),
})

const tlsText = ({ version, cipher, authorized }: NonNullable<Outcome['tls']>): string =>
  `${version} ${cipher} ${authorized ? 'verified' : 'unverified'}`
