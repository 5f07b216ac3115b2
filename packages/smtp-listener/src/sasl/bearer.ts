import type { Identity } from '@posthorn/contracts'
import { malformed } from './step.ts'
import { base64, isName, textOf } from './text.ts'
import type { SaslMechanism, SaslStep } from './step.ts'

const LONGEST_TOKEN = 8192
/** RFC 6750 §2.1. */
const bearer = /^Bearer ([A-Za-z0-9._~+/-]+=*)$/i

/** Ask about a token. Where it is not right the client is told why, answers, and is then refused (RFC 7628 §3.2.3). */
const judged = (user: string, authorization: string, refusal: string): SaslStep => {
  const token = bearer.exec(authorization)?.[1]
  if (!isName(user) || token === undefined || token.length > LONGEST_TOKEN) return malformed
  return {
    ask: 'token',
    user,
    token,
    next: (identity: Identity | undefined): SaslStep =>
      identity === undefined ? { challenge: refusal, next: () => ({ denied: user }) } : { identity },
  }
}

const started =
  (read: (text: string) => SaslStep): SaslMechanism =>
  initial => {
    const message = (bytes: Uint8Array): SaslStep => {
      const text = textOf(bytes)
      return text === undefined ? malformed : read(text)
    }
    return initial === undefined ? { challenge: '', next: message } : message(initial)
  }

const googleRefusal = base64(JSON.stringify({ status: '401', schemes: 'bearer', scope: '' }))

/** XOAUTH2, never standardised: `user=… ^A auth=Bearer … ^A ^A`. */
export const xoauth2: SaslMechanism = started(text => {
  // oxlint-disable-next-line no-control-regex -- the separator is one
  const [, user, authorization] = /^user=([^\x01]*)\x01auth=([^\x01]*)\x01\x01$/.exec(text) ?? []
  return user === undefined || authorization === undefined ? malformed : judged(user, authorization, googleRefusal)
})

const standardRefusal = base64(JSON.stringify({ status: 'invalid_token' }))
// oxlint-disable-next-line no-control-regex -- the separator is one
const bearerMessage = /^[ny],(?:a=([^,]*))?,\x01((?:[A-Za-z]+=[^\x01]*\x01)*)\x01$/

/** OAUTHBEARER (RFC 7628 §3.1): a gs2 header with the user, then pairs, of which `auth` counts. */
export const oauthBearer: SaslMechanism = started(text => {
  const [, name = '', pairs] = bearerMessage.exec(text) ?? []
  if (pairs === undefined || /=(?!2C|3D)/.test(name)) return malformed
  const authorization = pairs
    .split('\x01')
    .find(pair => pair.startsWith('auth='))
    ?.slice(5)
  const user = name.replaceAll('=2C', ',').replaceAll('=3D', '=')
  return authorization === undefined ? malformed : judged(user, authorization, standardRefusal)
})
