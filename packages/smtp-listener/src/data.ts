import {
  encodeReply,
  isReply,
  noValidRecipients,
  noValidRecipientsInLmtp,
  pipeliningNotOffered,
  rcptFirst,
  startMailInput,
} from '@posthorn/reply'
import { stopReply } from '@posthorn/plugin'
import type { Reception, Verdict } from '@posthorn/contracts'
import type { Reply } from '@posthorn/reply'
import type { Stop } from '@posthorn/plugin'
import { Content } from './content.ts'
import { DataReader } from './data-reader.ts'
import { protocolName } from './protocol-name.ts'
import type { Envelope } from './envelope.ts'
import type { Session } from './session.ts'
import type { Said } from './stage.ts'

const factsOf = (envelope: Envelope): { readonly sender: string; readonly recipients: number } => ({
  sender: envelope.sender?.wire ?? '',
  recipients: envelope.recipients.length,
})

/** What is said to DATA and BDAT when no RCPT was accepted. */
export const withoutRecipients = ({ desk, envelope }: Session): Reply<5> => {
  if (envelope?.refused === 0) return rcptFirst
  return desk.service.protocol === 'lmtp' ? noValidRecipientsInLmtp : noValidRecipients
}

/** No to DATA: the transaction is over, and a second mail meets every policy again. */
export const refuse = (session: Session, envelope: Envelope, reply: Reply<4 | 5>, by?: Verdict): Said => {
  session.rejected('data', reply, factsOf(envelope), by)
  session.reset()
  return encodeReply(reply)
}
/** The same from a plugin. */
export const refuseData = (session: Session, envelope: Envelope, stop: Stop): Said => {
  if ('hangUp' in stop) session.lastWords()
  return refuse(session, envelope, stopReply(stop), envelope.lastVerdict)
}

/** Ask the intake, which may still refuse, with a full disk for one. */
export const receive = (session: Session, envelope: Envelope): Reception | Reply<4 | 5> => {
  const { service, clock } = session.desk
  const protocol = protocolName({
    hello: session.introduction?.protocol === 'SMTP' ? 'HELO' : (session.greeted ?? 'HELO'),
    smtputf8: envelope.smtputf8,
    secure: session.secure,
    authenticated: envelope.user !== undefined,
  })
  const { forwarded } = session
  const lmtp = service.protocol === 'lmtp'
  return service.intake.begin(
    envelope.transaction({ origin: service.origin, protocol, now: clock.wall(), lmtp, forwarded }),
  )
}

/** DATA: only after the intake's yes 354 leaves (RFC 5321 §4.1.1.4). */
export const beginData = (session: Session, envelope: Envelope): Said => {
  // Whoever was not offered it and sends all the same has a message behind DATA: not one line of it may be taken for a command.
  if (session.pipelines && !session.offered.has('PIPELINING')) return session.hangUp(pipeliningNotOffered)
  const reception = receive(session, envelope)
  if (isReply(reception)) return refuse(session, envelope, reception)
  session.enter(new Content(session, envelope, { reception, reader: new DataReader() }))
  return startMailInput
}
