import { lineTooLong, malformedLine, tooManyErrors } from '@posthorn/reply'
import type { Awaitable } from '@posthorn/contracts'
import type { LineFault } from './input.ts'
import type { Session } from './session.ts'
import type { Said } from './stage.ts'

/** Answer what is no line. */
export const refuseLine = (session: Session, fault: LineFault): Awaitable<Said> => {
  session.trace(`# a line that is ${fault}`)
  if (fault === 'too-long') return session.error(lineTooLong)
  // What follows might be the rest of a line to somebody else: nothing after it is believed.
  return session.hangUp(fault === 'endless' ? tooManyErrors : malformedLine)
}
