import { isAscii, parseMailbox } from '@posthorn/address'
import {
  cannotVerify,
  encodeReply,
  mailboxes,
  noSuchList,
  noSuchMailbox,
  notImplemented,
  policyFailure,
  replyNeedsSmtputf8,
} from '@posthorn/reply'
import { andThen, isStop, stopReply } from '@posthorn/plugin'
import type { Awaitable } from '@posthorn/contracts'
import type { Command } from '@posthorn/smtp'
import type { Mailbox } from '@posthorn/address'
import { Envelope } from './envelope.ts'
import type { Session } from './session.ts'
import type { Said } from './stage.ts'

type Asked = Extract<Command, { verb: 'VRFY' | 'EXPN' }>

/** What addresses are is told to users who logged in and to networks that the operator named, and never to others (RFC 5321 §7.3). */
const isTold = ({ desk, user, connection }: Session): boolean => user !== undefined || desk.isTold(connection.ip)

/** Whether EXPN is offered: who would not be answered is not invited to ask (RFC 5321 §3.5.2). */
export const mayExpand = (session: Session): boolean => session.desk.service.directory?.expn === true && isTold(session)

/** `ann`, `ann@example.org` or `<ann@example.org>`; without a domain it is one of ours. */
const namedBy = ({ argument, smtputf8 }: Asked, domain: string): Mailbox | undefined => {
  const text = /^<.*>$/.test(argument) ? argument.slice(1, -1) : argument
  return parseMailbox(text.includes('@') ? text : `${text}@${domain}`, { smtputf8 })
}
/** Where plugins are asked outside a transaction: it has no sender, and nothing of it is kept. */
const asIfMail = ({ hello, user }: Session): Envelope =>
  new Envelope(hello, user, null, { smtputf8: true, requireTls: false })

/** VRFY: what the `resolve` hook says of the address. */
export const verify = (session: Session, command: Asked): Awaitable<Said> => {
  const { service } = session.desk
  const { directory } = service
  if (directory?.vrfy !== true || !isTold(session)) return encodeReply(cannotVerify)
  const to = namedBy(command, directory.domain)
  if (to === undefined) return encodeReply(noSuchMailbox)
  return andThen(service.chain.claim('resolve', { to }, asIfMail(session)), answer => {
    if (answer === undefined) return encodeReply(noSuchMailbox)
    if ('failed' in answer) return encodeReply(policyFailure)
    if (isStop(answer)) return encodeReply(stopReply(answer))
    // Somebody else's mailbox: only mail for it would tell.
    return 'transport' in answer ? encodeReply(cannotVerify) : mailboxes([to.wire])
  })
}

/** EXPN: the addresses to which mail for this one goes. */
export const expand = (session: Session, command: Asked): Awaitable<Said> => {
  const { service, expander } = session.desk
  const { directory } = service
  if (directory === undefined || !mayExpand(session)) return encodeReply(notImplemented)
  const to = namedBy(command, directory.domain)
  if (to === undefined) return encodeReply(noSuchList)
  return andThen(expander.expand({ to }, asIfMail(session)), found => {
    if (!found.ok) return encodeReply(stopReply(found.stop))
    const members = found.goesTo.map(member => member.to.wire)
    const [only] = found.goesTo
    if (members.length === 1 && only !== undefined && only.to === to && 'transport' in only.destination)
      return encodeReply(noSuchList)
    return command.smtputf8 || members.every(isAscii) ? mailboxes(members) : encodeReply(replyNeedsSmtputf8)
  })
}
