import { identified, malformed } from './step.ts'
import { isName, isSecret } from './text.ts'
import type { SaslStep } from './step.ts'

/** The end of PLAIN and LOGIN. */
export const credentials = (user: string, password: string): SaslStep => {
  if (!isName(user) || !isSecret(password)) return malformed
  // A directory may take an empty password for an anonymous bind, which succeeds (RFC 4513 §5.1.2).
  return password === '' ? { denied: user } : { ask: 'password', user, password, next: identified(user) }
}
