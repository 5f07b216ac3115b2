import { banner, earlyTalker } from '@posthorn/reply'
import { andThen, isStop, stopReply } from '@posthorn/plugin'
import type { Awaitable } from '@posthorn/contracts'
import type { Reply } from '@posthorn/reply'
import { refusalAtConnect } from './refusal-at-connect.ts'
import { brief } from './trace.ts'
import type { Input } from './input.ts'
import type { Session } from './session.ts'
import type { Said } from './stage.ts'

/** What the client is greeted with: the `connect` hook is asked, and nothing else is waited for unless an operator says so. */
export const welcome = (session: Session, input: Input): Awaitable<Said> =>
  andThen(unwanted(session), refusal => {
    session.event('session.opened', { early: input.waiting, tls: session.hello.tls?.version }, 'debug')
    if (refusal !== undefined) return turnAway(session, refusal)
    return andThen(isEarly(session, input), early => (early ? turnAway(session, earlyTalker) : greeting(session)))
  })

/** The same for a client that came by XCLIENT; `tooMany` says that it has too many sessions. */
export const welcomeAnother = (session: Session, tooMany: Reply | undefined): Awaitable<Said> =>
  andThen(tooMany ?? unwanted(session), refusal =>
    refusal === undefined ? greeting(session) : turnAway(session, refusal),
  )

const greeting = ({ desk }: Session): Said => {
  const { hostname, protocol } = desk.service
  return banner(hostname, protocol === 'lmtp' ? 'LMTP' : 'ESMTP')
}

/** What plugins have against this client. */
const unwanted = ({ desk, connection }: Session): Awaitable<Reply | undefined> =>
  andThen(desk.service.chain.decide('connect', { ip: connection.ip }, connection), answer =>
    isStop(answer) ? refusalAtConnect(stopReply(answer)) : undefined,
  )

const turnAway = (session: Session, reply: Reply): Said => {
  session.event('session.refused', { reply: brief(reply) })
  return session.hangUp(reply)
}

/** Whether the client speaks before it is greeted (RFC 5321 §3.1), where that is waited for. */
const isEarly = (session: Session, input: Input): Awaitable<boolean> => {
  const { greetDelayMs } = session.desk.limits
  if (greetDelayMs === 0) return false
  return session.wait(greetDelayMs).then(() => input.waiting)
}
