import { credentials } from './password.ts'
import { malformed } from './step.ts'
import { textOf } from './text.ts'
import type { SaslMechanism, SaslStep } from './step.ts'

/** RFC 4616: `authorization NUL user NUL password`. To act for someone else is not offered. */
const message = (bytes: Uint8Array): SaslStep => {
  const parts = textOf(bytes)?.split('\0', 4)
  const [actFor, user, password] = parts ?? []
  if (parts?.length !== 3 || actFor === undefined || user === undefined || password === undefined) return malformed
  const step = credentials(user, password)
  return 'ask' in step && actFor !== '' && actFor !== user ? { denied: user } : step
}

/** PLAIN. */
export const plain: SaslMechanism = initial =>
  initial === undefined ? { challenge: '', next: message } : message(initial)
