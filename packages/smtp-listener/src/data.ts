import { isReply, startMailInput } from '@posthorn/reply'
import { stopReply } from '@posthorn/plugin'
import type { Reply } from '@posthorn/reply'
import type { Stop } from '@posthorn/plugin'
import { Content } from './content.ts'
import { protocolName } from './protocol-name.ts'
import type { Envelope } from './envelope.ts'
import type { Session } from './session.ts'
import type { Said } from './stage.ts'

const factsOf = (envelope: Envelope): { readonly sender: string; readonly recipients: number } => ({
  sender: envelope.sender?.wire ?? '',
  recipients: envelope.recipients.length,
})

/** No to DATA: the transaction is over, and a second mail meets every policy again. */
export const refuseData = (session: Session, envelope: Envelope, stop: Stop): Said => {
  session.rejected('data', stopReply(stop), factsOf(envelope))
  session.reset()
  return session.refuse(stop)
}

/** DATA: the intake may still refuse, with a full disk for one; only then 354 leaves (RFC 5321 §4.1.1.4). */
export const beginData = (session: Session, envelope: Envelope): Said => {
  const { service } = session.desk
  const protocol = protocolName({
    hello: session.greeted ?? 'HELO',
    smtputf8: envelope.smtputf8,
    secure: session.secure,
    authenticated: envelope.user !== undefined,
  })
  const reception = service.intake.begin(envelope.transaction({ origin: service.origin, protocol }))
  if (isReply(reception)) return refuseData(session, envelope, reception as Reply<4 | 5> as Stop)
  session.enter(new Content(session, envelope, reception))
  return startMailInput
}
