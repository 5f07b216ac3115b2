import type { Fate, Settlement } from '@posthorn/contracts'
import type { Judgement } from './judge.ts'

/** What a settlement says besides the judgement. */
export interface Extras {
  readonly report?: NonNullable<Settlement['report']>
  readonly warned?: true
  /** Instead of the judgement's own. */
  readonly fate?: Fate
}

/** The end of one attempt as the queue is told of it. A `release` is none: it is given back by other means. */
export const settlementOf = (j: Judgement, extras: Extras = {}): Settlement => {
  const fate = extras.fate ?? j.fate
  if (fate.to === 'release') throw new TypeError('a release is not a settlement')
  const lease = { delivery: j.claim.delivery, token: j.claim.token }
  return {
    lease,
    fate,
    ...(j.attempt === undefined ? undefined : { attempt: j.attempt }),
    ...(extras.warned === undefined ? undefined : { warned: extras.warned }),
    ...(extras.report === undefined ? undefined : { report: extras.report }),
  }
}
