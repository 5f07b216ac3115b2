import type { Mailbox } from '@posthorn/address'
import type { Claim } from '@posthorn/contracts'
import { deadlineOf } from './deliver-by.ts'
import { defaultRetry } from './schedule.ts'
import type { RetryPolicy } from './schedule.ts'

/** How long mail is tried and when its sender hears of it. Durations in milliseconds. */
export interface Lifetime {
  readonly retry: RetryPolicy
  /** After which a message is returned, unless it says otherwise itself. */
  readonly expireMs: number
  /** The ages at which its sender is told that it is late, once each. */
  readonly warnAfterMs: readonly number[]
  /** Who hears of reports of ours that fail; nobody when absent. */
  readonly doubleBounces?: Mailbox
}

/** Five days, a word after four hours. */
export const defaultLifetime: Lifetime = {
  retry: defaultRetry,
  expireMs: 5 * 24 * 3_600_000,
  warnAfterMs: [4 * 3_600_000],
}

/**
 * The wall time after which a delivery is given up, once it has been tried. Holding stops this clock, but not a time that the message
 * itself names, nor the one by which its sender wants it back.
 */
export const expiryOf = (claim: Claim, lifetime: Lifetime): number =>
  Math.min(deadlineOf(claim), claim.expires ?? claim.arrived + (claim.heldMs ?? 0) + lifetime.expireMs)

/** How long a delivery has been on its way, in ms, without the time for which it was on hold. */
export const ageOf = (claim: Claim, now: number): number => Math.max(0, now - claim.arrived - (claim.heldMs ?? 0))
