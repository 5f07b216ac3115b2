import { z } from 'zod'
import { time } from './value.ts'

/** The most that nine digits of seconds can say (RFC 2852 §4). */
const longest = 999_999_999_000

/** Who may say by when mail is to be delivered (DELIVERBY). */
export const deliverBy = z.strictObject({
  /** Nobody, users who log in, or other servers too. */
  offer: z.enum(['off', 'users', 'everyone']).default('users'),
  /** The shortest time after which mail may be asked to come back. */
  minimum: time('0s').refine(ms => ms <= longest, 'is longer than nine digits of seconds can say'),
})
