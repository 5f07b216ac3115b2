import type { Session } from './session.ts'

/** Where the dialogue stands between two commands (RFC 5321 §4.1.4): before EHLO, after it, after MAIL, after a first RCPT; and between two chunks. */
export type State = 'start' | 'ready' | 'mail' | 'rcpt' | 'bdat'

/** Read off what has been accepted so far; there is no second copy of it that could disagree. */
export const stateOf = (session: Session): State => {
  if (session.greeted === undefined) return 'start'
  if (session.envelope === undefined) return 'ready'
  if (session.envelope.chunked !== undefined) return 'bdat'
  return session.envelope.answered.length === 0 ? 'mail' : 'rcpt'
}
