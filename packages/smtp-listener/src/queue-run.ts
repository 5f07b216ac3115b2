import {
  badArgument,
  encodeReply,
  nodeNotAllowed,
  nothingWaits,
  notImplemented,
  queueRunFailed,
  queueRunStarted,
} from '@posthorn/reply'
import { parseDomain } from '@posthorn/address'
import type { Awaitable } from '@posthorn/contracts'
import type { Command } from '@posthorn/smtp'
import type { QueueRuns } from './service.ts'
import type { Session } from './session.ts'
import type { Said } from './stage.ts'

/** `@` in front of a domain stands for all below it too; `#` would name a queue, and ours have no names (RFC 1985 §5.2). */
const asked = (session: Session, runs: QueueRuns, argument: string): readonly string[] | undefined => {
  if (argument.startsWith('#')) return []
  const withSubdomains = argument.startsWith('@')
  const domain = parseDomain(withSubdomains ? argument.slice(1) : argument)
  if (domain === undefined) return undefined
  const { connection, user } = session
  return runs.allowed({ domain, withSubdomains, ip: connection.ip, user })
}

/** ETRN: who may have the mail of a site has what waits for it sent now. What they learn is how many deliveries that are (RFC 1985 §5.3). */
export const runQueue = (session: Session, { argument }: Extract<Command, { verb: 'ETRN' }>): Awaitable<Said> => {
  const runs = session.desk.service.queueRuns
  if (runs === undefined) return session.error(notImplemented)
  const domains = asked(session, runs, argument)
  if (domains === undefined) return session.error(badArgument)
  if (domains.length === 0) return session.error(nodeNotAllowed)
  return runs.start(domains, session.user ?? session.connection.ip).then(
    waiting => encodeReply(waiting === 0 ? nothingWaits : queueRunStarted(waiting)),
    (error: unknown) => {
      session.broken(error)
      return encodeReply(queueRunFailed)
    },
  )
}
