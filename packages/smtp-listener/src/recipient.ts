import { encodeReply, recipientOk, relayDenied } from '@posthorn/reply'
import { andThen, permit, stopReply } from '@posthorn/plugin'
import type { Awaitable, Verdict } from '@posthorn/contracts'
import type { HookOut, Recipient, Stop } from '@posthorn/plugin'
import type { Command } from '@posthorn/smtp'
import type { Envelope } from './envelope.ts'
import type { Session } from './session.ts'
import type { Said } from './stage.ts'

type Rcpt = Extract<Command, { verb: 'RCPT' }>

/** The recipient as plugins see it. */
export const recipientOf = ({ to, params }: Rcpt): Recipient => ({
  to,
  ...(params.orcpt === undefined ? {} : { orcpt: params.orcpt }),
  ...(params.notify === undefined ? {} : { notify: params.notify }),
})

/** Say no to a recipient. Guessing at mailboxes is counted. */
export const refuseRecipient = (
  session: Session,
  envelope: Envelope,
  recipient: Recipient,
  { stop, by }: { readonly stop: Stop; readonly by?: Verdict | undefined },
): Awaitable<Said> => {
  const reply = stopReply(stop)
  envelope.refused += 1
  session.rejected('rcpt', reply, { sender: envelope.sender?.wire ?? '', rcpt: recipient.to.wire }, by)
  if (reply.class === 4) return session.refuse(stop)
  const over = session.budget.recipientFailure()
  return session.slowly(session.refuse(over === undefined ? stop : { hangUp: over }))
}

/**
 * After the `rcpt` hook: whether this client may send here at all (silence never relays), then what the address is.
 */
export const addRecipient = (
  session: Session,
  envelope: Envelope,
  recipient: Recipient,
  answer: HookOut<'rcpt'>,
): Awaitable<Said> => {
  if (answer !== permit) return refuseRecipient(session, envelope, recipient, { stop: relayDenied })
  if (envelope.again(recipient)) return encodeReply(recipientOk)
  const before = envelope.lastVerdict
  return andThen(session.desk.expander.expand(recipient, envelope), expanded => {
    const rcpt = recipient.to.wire
    if (!expanded.ok) {
      if (expanded.why !== undefined) session.event('policy.error', { rcpt, why: expanded.why }, 'error')
      // Nobody's verdict means that nobody knew the address.
      const by = envelope.lastVerdict === before ? undefined : envelope.lastVerdict
      return refuseRecipient(session, envelope, recipient, { stop: expanded.stop, by })
    }
    if (expanded.missing.length > 0) {
      const members = expanded.missing.slice(0, 20).map(member => member.wire)
      session.event('policy.verdict', { rcpt, why: 'members left out', members }, 'warn')
    }
    envelope.accept(recipient, expanded.goesTo)
    return encodeReply(recipientOk)
  })
}
