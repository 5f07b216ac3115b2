import { credentials } from './password.ts'
import { malformed } from './step.ts'
import { base64, textOf } from './text.ts'
import type { SaslMechanism, SaslStep } from './step.ts'

const askUser = base64('Username:')
const askPassword = base64('Password:')

const named = (name: Uint8Array): SaslStep => {
  const user = textOf(name)
  if (user === undefined) return malformed
  return {
    challenge: askPassword,
    next: (secret: Uint8Array): SaslStep => {
      const password = textOf(secret)
      return password === undefined ? malformed : credentials(user, password)
    },
  }
}

/** LOGIN was never standardised (draft-murchison-sasl-login); clients look for exactly these two prompts. */
export const login: SaslMechanism = initial =>
  initial === undefined ? { challenge: askUser, next: named } : named(initial)
