import { authenticationLineTooLong, lineTooLong, wrongProtocol } from '@posthorn/reply'
import { parseCommand } from '@posthorn/smtp'
import type { Awaitable } from '@posthorn/contracts'
import type { Reply } from '@posthorn/reply'
import { tracedCommand } from './trace.ts'
import { perform, verbs } from './verbs.ts'
import type { Limits } from './limits.ts'
import type { Session } from './session.ts'
import type { Said } from './stage.ts'

/** A browser, or somebody who makes one speak to us; or another protocol at the wrong door. No verb of SMTP begins so. */
const otherProtocol =
  /^(?:(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE|PRI) |HOST:|SSH-|[A-Z]{1,16} (?:sips?|rtsps?):)/i

/** An AUTH command has a limit of its own (RFC 4954 §4). */
const whyTooLong = (text: string, { authLine, commandLine }: Limits): Reply<5> | undefined => {
  const octets = text.length + 2
  if (octets <= authLine && octets <= commandLine) return undefined
  if (/^auth /i.test(text)) return octets > authLine ? authenticationLineTooLong : undefined
  return octets > commandLine ? lineTooLong : undefined
}

/** Answer a line that should be a command. */
export const obey = (session: Session, text: string): Awaitable<Said> => {
  const { limits, domain, service } = session.desk
  if (service.trace !== undefined) session.trace(tracedCommand(text))
  const tooLong = whyTooLong(text, limits)
  if (tooLong !== undefined) return otherProtocol.test(text) ? session.hangUp(wrongProtocol) : session.error(tooLong)
  const utf8 = session.envelope?.smtputf8 === true
  const parsed = parseCommand(text, { utf8, offered: session.offered, domain })
  if (parsed.ok) {
    if (verbs[parsed.command.verb].endsGroup) session.endGroup()
    return perform(session, parsed.command)
  }
  if (otherProtocol.test(text)) return session.hangUp(wrongProtocol)
  // What follows a chunk that cannot be counted is its payload, not commands (RFC 3030 §4.2).
  if (parsed.verb === 'BDAT') return session.hangUp(parsed.reply)
  if (parsed.verb === 'MAIL' || parsed.verb === 'RCPT')
    session.rejected(parsed.verb.toLowerCase(), parsed.reply, { line: text.slice(0, 200) })
  return session.error(parsed.reply)
}
