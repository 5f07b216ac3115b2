import type { Random } from '@posthorn/contracts'

/** When a deferred delivery is tried again. Durations in milliseconds. */
export interface RetryPolicy {
  /** The shortest pause. */
  readonly firstMs: number
  /** The longest. */
  readonly maxMs: number
  /** By which each further attempt lengthens it. */
  readonly factor: number
  /** The pause is multiplied by a number between these two, so that what failed together does not come back together. */
  readonly jitter: readonly [least: number, most: number]
}

/** As Postfix has it, 300 s to 4000 s. */
export const defaultRetry: RetryPolicy = { firstMs: 300_000, maxMs: 4_000_000, factor: 2, jitter: [0.8, 1.2] }

/**
 * The pause before the next attempt: as long as the message is old or as its attempts call for, whichever is longer,
 * between the two ends of the policy, with jitter. `attempts` counts those made, the one just failed included.
 */
export const retryDelay = (policy: RetryPolicy, o: { age: number; attempts: number }, random: Random): number => {
  const byAttempts = policy.firstMs * policy.factor ** Math.min(Math.max(0, o.attempts - 1), 64)
  const pause = Math.min(policy.maxMs, Math.max(policy.firstMs, byAttempts, o.age))
  return jittered(pause, policy, random)
}

/** The shortest pause that a peer's word may lead to, and the attempts after which it may only lengthen one. */
const shortestHinted = 60_000
const attemptsShortened = 5

/**
 * The pause before the next attempt when the peer said how long to wait: what it said, but never longer than the policy's longest,
 * never under a minute, and sooner than we would have come by ourselves only a few times. Jitter only lengthens it.
 */
export const hintedDelay = (
  policy: RetryPolicy,
  o: { age: number; attempts: number; hint: number | undefined },
  random: Random,
): number => {
  const usual = retryDelay(policy, o, random)
  if (o.hint === undefined) return usual
  const hinted = Math.max(o.hint, Math.min(policy.firstMs, shortestHinted))
  if (hinted < usual && o.attempts > attemptsShortened) return usual
  const [, most] = policy.jitter
  return Math.min(Math.round(hinted * (1 + Math.max(0, most - 1) * random.next())), Math.max(policy.maxMs, usual))
}

/** The pause of a site that did not answer `times` times running, or that asked for one. */
export const siteDelay = (policy: RetryPolicy, times: number, random: Random, hint?: number): number =>
  hintedDelay(policy, { age: 0, attempts: times, hint }, random)

const jittered = (ms: number, policy: RetryPolicy, random: Random): number => {
  const [least, most] = policy.jitter
  return Math.round(ms * (least + (most - least) * random.next()))
}
