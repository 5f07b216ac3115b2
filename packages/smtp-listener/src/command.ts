import { authenticationLineTooLong, lineTooLong, wrongProtocol } from '@posthorn/reply'
import { parseCommand } from '@posthorn/smtp'
import type { Awaitable } from '@posthorn/contracts'
import { tracedCommand } from './trace.ts'
import { perform, verbs } from './verbs.ts'
import type { Session } from './session.ts'
import type { Said } from './stage.ts'

/** A browser, or somebody who makes one speak to us; or another protocol at the wrong door. No verb of SMTP begins so. */
const otherProtocol =
  /^(?:(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE|PRI) |HOST:|SSH-|[A-Z]{1,16} (?:sips?|rtsps?):)/i

/** Answer a line that should be a command. */
export const obey = (session: Session, text: string): Awaitable<Said> => {
  const { limits, domain, service } = session.desk
  if (service.trace !== undefined) session.trace(tracedCommand(text))
  if (otherProtocol.test(text)) return session.hangUp(wrongProtocol)
  const isAuth = /^auth /i.test(text)
  if (text.length + 2 > (isAuth ? limits.authLine : limits.commandLine))
    return session.error(isAuth ? authenticationLineTooLong : lineTooLong)
  const utf8 = session.envelope?.smtputf8 === true
  const parsed = parseCommand(text, { utf8, offered: session.offered, domain })
  if (parsed.ok) {
    if (verbs[parsed.command.verb].endsGroup) session.endGroup()
    return perform(session, parsed.command)
  }
  // What follows a chunk that cannot be counted is its payload, not commands (RFC 3030 §4.2).
  if (parsed.verb === 'BDAT') return session.hangUp(parsed.reply)
  if (parsed.verb === 'MAIL' || parsed.verb === 'RCPT')
    session.rejected(parsed.verb.toLowerCase(), parsed.reply, { line: text.slice(0, 200) })
  return session.error(parsed.reply)
}
