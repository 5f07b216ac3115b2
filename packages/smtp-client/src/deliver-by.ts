import type { Notify } from '@posthorn/contracts'
import type { Features } from './features.ts'
import type { MailDeliverBy } from './mail.ts'
import type { Trouble } from './outcome.ts'

/** Whole seconds, never more than there are. */
const secondsLeft = ({ at }: MailDeliverBy, now: number): number => Math.floor((at - now) / 1000)

const late = (cause: string): Trouble => ({ phase: 'mail', fate: 'failed', status: '5.4.7', cause })

/** Why this peer cannot have a message that is to come back unless it is delivered in time (RFC 2852 §4.1.4). `now`: wall time in ms. */
export const tooLateFor = (by: MailDeliverBy, features: Features, now: number): Trouble | undefined => {
  if (by.mode !== 'return') return undefined
  if (!features.deliverBy)
    return late('the message has a time to be delivered by and the peer does not offer DELIVERBY')
  const left = secondsLeft(by, now)
  if (left < 1) return late('the time by which the message was to be delivered is over')
  const { minByTime } = features
  return left < minByTime
    ? late(`${left} s are left to deliver the message, the peer takes no less than ${minByTime} s`)
    : undefined
}

/** The parameter for a peer that offers DELIVERBY. Below one second the peer would take the sender for told (RFC 2852 §4). */
export const byParameter = (by: MailDeliverBy, now: number): string => {
  const left = secondsLeft(by, now)
  const seconds = by.told === true && by.mode === 'notify' ? left : Math.max(1, left)
  return ` BY=${seconds};${by.mode === 'return' ? 'R' : 'N'}${by.trace ? 'T' : ''}`
}

/** What a peer that only reports delays of its own is asked for, since it does not know the time (RFC 2852 §4.1.4.2). */
export const withDelay = (notify: Notify | undefined): Notify => {
  if (notify === undefined) return ['failure', 'delay']
  return notify === 'never' || notify.includes('delay') ? notify : [...notify, 'delay']
}
