import { isAscii } from '@posthorn/address'
import type { Mailbox } from '@posthorn/address'
import type { AcceptedRecipient, ExpandedRecipient, NewRecipient, Notify, SiteKey } from '@posthorn/contracts'
import { siteOf } from './site.ts'

type Asked = Pick<AcceptedRecipient, 'orcpt' | 'notify' | 'returnPath'>

const newRecipient = (member: ExpandedRecipient, asked: Asked, due: number | undefined): NewRecipient => {
  const { to, destination } = member
  const notify = member.notify ?? asked.notify
  const returnPath = member.returnPath === undefined ? asked.returnPath : member.returnPath
  return {
    to,
    site: siteOf(destination),
    ...(asked.orcpt !== undefined && { orcpt: asked.orcpt }),
    ...(notify !== undefined && { notify }),
    ...(returnPath !== undefined && { returnPath }),
    ...(due !== undefined && { due }),
  }
}

/**
 * The deliveries of the queue that one recipient of a message becomes, with what its sender wants to hear of each (RFC 3461 §5.2.7).
 * `due` is wall time in ms.
 *
 * A mailbox, and an alias with one member, pass everything on (§5.2.7.2). Of an alias with several members the sender would hear as
 * often as it has members, so that they are not asked for successes, and "expanded" is told instead (§5.2.7.3 c). To be taken by a
 * list, whose members have a return path of their own, is delivery, and what was asked of it is no business of its members (§5.2.7.1).
 */
export const deliveriesOf = (asked: AcceptedRecipient, due?: number): readonly NewRecipient[] => {
  const { goesTo } = asked
  const [only] = goesTo
  if (only !== undefined && goesTo.length === 1 && only.returnPath === undefined) return [forwarded(only, asked, due)]
  const told = { wantsSuccess: asked.notify !== 'never' && asked.notify?.includes('success') === true, isList: false }
  const deliveries = goesTo.map(member => {
    if (member.returnPath === undefined)
      return forwarded(member, { ...asked, ...unlessAbsent(withoutSuccess(asked.notify)) }, due)
    told.isList = true
    return newRecipient(member, {}, due)
  })
  return told.wantsSuccess ? [...deliveries, marker(asked, told.isList ? 'list' : 'alias', due)] : deliveries
}

const unlessAbsent = (notify: Notify | undefined): { readonly notify?: Notify } =>
  notify === undefined ? {} : { notify }

/** Without SUCCESS; where nothing else was asked for, nothing is. */
const withoutSuccess = (notify: Notify | undefined): Notify | undefined => {
  if (notify === undefined || notify === 'never') return notify
  const rest = notify.filter(on => on !== 'success')
  return rest.length === 0 ? 'never' : rest
}

/** The address that the sender wrote to goes along when the message goes to another, so that reports can name it (RFC 3461 §5.2.1). */
const forwarded = (member: ExpandedRecipient, asked: AcceptedRecipient, due: number | undefined): NewRecipient => {
  if (asked.orcpt !== undefined || member.to.wire === asked.to.wire) return newRecipient(member, asked, due)
  return newRecipient(member, { ...asked, orcpt: typed(asked.to) }, due)
}

const typed = ({ wire }: Mailbox): string => `${isAscii(wire) ? 'rfc822' : 'utf-8'};${wire}`

/**
 * A delivery that stands for the expansion itself: the dispatcher settles it as `expanded`, or for a list as `delivered`, and so the
 * sender's report is as durable as any other.
 */
const marker = (asked: AcceptedRecipient, what: 'alias' | 'list', due: number | undefined): NewRecipient => ({
  to: asked.to,
  site: `expanded:${what}` as SiteKey,
  notify: ['success'],
  ...(asked.orcpt !== undefined && { orcpt: asked.orcpt }),
  ...(asked.returnPath !== undefined && { returnPath: asked.returnPath }),
  ...(due !== undefined && { due }),
})
