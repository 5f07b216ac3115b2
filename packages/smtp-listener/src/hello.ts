import { helloFirst, helo, lhloFirst, useEhlo, useLhlo } from '@posthorn/reply'
import type { Reply } from '@posthorn/reply'
import type { HelloContext } from './context.ts'
import type { Session } from './session.ts'
import type { Said } from './stage.ts'

/** EHLO, HELO or LHLO as it was said. */
export interface HelloCommand {
  readonly verb: 'EHLO' | 'HELO' | 'LHLO'
  readonly name: string
}

/** LMTP knows LHLO only, SMTP does not know it (RFC 2033 §4.1). */
export const wrongHello = (session: Session, { verb }: HelloCommand): Reply | undefined => {
  const lmtp = session.desk.service.protocol === 'lmtp'
  if (lmtp === (verb === 'LHLO')) return undefined
  return lmtp ? useLhlo : useEhlo
}

/** To what must not come before it. */
export const greetFirst = ({ desk }: Session): Reply => (desk.service.protocol === 'lmtp' ? lhloFirst : helloFirst)

/** A hello that was accepted also ends the transaction at hand (RFC 5321 §4.1.4). HELO offers no extension. */
export const greet = (session: Session, { verb }: HelloCommand, context: HelloContext): Said => {
  session.reset()
  session.hello = context
  session.greeted = verb
  if (verb === 'HELO') {
    session.offered = nothing
    return helo(session.desk.service.hostname)
  }
  const { text, offered } = session.desk.greeting(session.standing)
  session.offered = offered
  return text
}
const nothing: ReadonlySet<string> = new Set()
