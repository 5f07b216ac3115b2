import type { Reply } from '@posthorn/reply'
import type { Session } from './session.ts'

/** Who has a session. */
export interface Host {
  /** It is another client's now; the answer says that this one has too many. */
  moved(from: string, to: string): Reply | undefined
  /** Called once, when the wire has closed. */
  left(session: Session): void
}
