import { encodeReply, pipelinedStartTls, readyForTls } from '@posthorn/reply'
import type { Awaitable, Wire } from '@posthorn/contracts'
import { HelloContext } from './context.ts'
import { messageOf } from './trace.ts'
import type { Link } from './link.ts'
import type { Session } from './session.ts'
import type { Said } from './stage.ts'

/** Begin TLS. After it nothing that was said in clear counts any more (RFC 3207 §4.2). Answers whether it succeeded. */
export const handshake = async (session: Session, wire: Wire, link: Link): Promise<boolean> => {
  const { service, clock, limits } = session.desk
  if (service.tls === undefined) throw new Error('TLS without a certificate')
  let late = false
  // A client that leaves ends its wire, and so does whoever cuts the session: the time alone needs somebody to watch it.
  const clear = clock.after(limits.tlsMs, () => {
    late = true
    link.abort()
  })
  try {
    session.hello = new HelloContext(session.connection, await wire.secureServer(service.tls))
  } catch (error) {
    const why = late ? `no answer within ${limits.tlsMs} ms` : messageOf(error).replace(/^TLS: /, '')
    session.event('session.refused', { why: `TLS: ${why}` })
    link.abort()
    return false
  } finally {
    clear()
  }
  session.trace('X: tls')
  link.input.clear()
  session.forget()
  return true
}

/** STARTTLS. Octets behind it were sent in clear and would be taken for what TLS protects, so they end the session. */
export const startTls = (session: Session, wire: Wire, link: Link): Awaitable<Said> => {
  if (link.input.waiting) return session.hangUp(pipelinedStartTls)
  link.say(encodeReply(readyForTls))
  link.flush()
  return handshake(session, wire, link).then(() => '')
}
