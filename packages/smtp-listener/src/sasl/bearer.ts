import { readSaslName } from '@posthorn/smtp'
import type { Identity } from '@posthorn/contracts'
import { malformed } from './step.ts'
import { base64, isName, textOf } from './text.ts'
import type { SaslMechanism, SaslStep } from './step.ts'

const LONGEST_TOKEN = 8192
/** RFC 6750 §2.1. */
const bearer = /^Bearer ([A-Za-z0-9._~+/-]+=*)$/i

/** What a client is told of a token that is not right; it answers with something that does not matter, and is then refused. */
interface Refusals {
  /** Of a token that is not, or no longer, good. */
  readonly token: string
  /** Of what is no bearer token, also of none: clients ask so for what there is (RFC 7628 §4.3). */
  readonly request: string
}
const refused = (user: string, challenge: string): SaslStep => ({ challenge, next: () => ({ denied: user }) })

/** Ask about a token (RFC 7628 §3.2.3). */
const judged = (user: string, authorization: string, refusals: Refusals): SaslStep => {
  if (user !== '' && !isName(user)) return malformed
  const token = bearer.exec(authorization)?.[1]
  if (token === undefined || token.length > LONGEST_TOKEN) return refused(user, refusals.request)
  return {
    ask: 'token',
    user,
    token,
    next: (identity: Identity | undefined): SaslStep =>
      identity === undefined ? refused(user, refusals.token) : { identity },
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

const inJson = (status: string): string => base64(JSON.stringify({ status, schemes: 'bearer', scope: '' }))
const ofGoogle: Refusals = { token: inJson('401'), request: inJson('400') }

/** XOAUTH2, never standardised: `user=… ^A auth=Bearer … ^A ^A`. */
export const xoauth2: SaslMechanism = started(text => {
  // oxlint-disable-next-line no-control-regex -- the separator is one
  const [, user, authorization] = /^user=([^\x01]*)\x01auth=([^\x01]*)\x01\x01$/.exec(text) ?? []
  return user === undefined || user === '' || authorization === undefined
    ? malformed
    : judged(user, authorization, ofGoogle)
})

/** RFC 7628 §3.2.2; the words are those of RFC 6750 §3.1. */
const standard: Refusals = { token: inJson('invalid_token'), request: inJson('invalid_request') }
// oxlint-disable-next-line no-control-regex -- the separator is one
const bearerMessage = /^[ny],(?:a=([^,]*))?,\x01((?:[A-Za-z]+=[^\x01]*\x01)*)\x01$/

/** OAUTHBEARER (RFC 7628 §3.1): a gs2 header with the user, or none where the token is to say who it is; then pairs, of which `auth` counts. */
export const oauthBearer: SaslMechanism = started(text => {
  const [, name = '', pairs] = bearerMessage.exec(text) ?? []
  const user = readSaslName(name)
  if (pairs === undefined || user === undefined) return malformed
  const authorization = pairs
    .split('\x01')
    .find(pair => pair.startsWith('auth='))
    ?.slice(5)
  return authorization === undefined ? malformed : judged(user, authorization, standard)
})
