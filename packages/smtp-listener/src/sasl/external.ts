import { identified, malformed } from './step.ts'
import { isName, textOf } from './text.ts'
import type { SaslMechanism, SaslStep } from './step.ts'

/**
 * EXTERNAL (RFC 4422 §A): the client is who its certificate says. The response is whom it wants to act as, and empty where the certificate
 * alone is to say.
 */
export const external: SaslMechanism = (initial, { certificate }) => {
  const message = (response: Uint8Array): SaslStep => {
    const user = textOf(response)
    if (user === undefined || (user !== '' && !isName(user))) return malformed
    if (certificate === undefined) return { denied: user }
    return { ask: 'certificate', user, certificate, next: identified(user) }
  }
  return initial === undefined ? { challenge: '', next: message } : message(initial)
}
