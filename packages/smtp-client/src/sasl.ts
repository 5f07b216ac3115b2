import type { Awaitable } from '@posthorn/contracts'
import { writeSaslName } from '@posthorn/smtp'

/** One run of a mechanism, from the client's side. Texts are what base64 carries, as UTF-8. */
export interface SaslRun {
  /** What may go with the command; undefined when the server has to speak first. */
  readonly first: string | undefined
  /** The response to a challenge; undefined gives up (RFC 4954 §4: `*`), and `fault` says why. */
  answer(challenge: string): Awaitable<string | undefined>
  /** Why a 235 must not be believed, or why we gave up. */
  readonly fault: string | undefined
}

/** RFC 4616. Asked without an initial response, the challenge is empty. */
export const plainRun = (user: string, password: string): SaslRun => ({
  first: `\0${user}\0${password}`,
  answer: () => undefined,
  fault: undefined,
})

/** Never standardised (draft-murchison-sasl-login); whatever the two prompts say, they are for these. */
export const loginRun = (user: string, password: string): SaslRun => {
  const left = [user, password]
  return { first: undefined, answer: () => left.shift(), fault: undefined }
}

/** Google's and Microsoft's own. A challenge is the error, to be answered by nothing. */
export const xoauth2Run = (user: string, token: string): SaslRun => ({
  first: `user=${user}\x01auth=Bearer ${token}\x01\x01`,
  answer: () => '',
  fault: undefined,
})

/** RFC 7628 §3.1. A challenge is the error, to be answered by one control-A (RFC 7628 §3.2.3). */
export const oauthBearerRun = (
  user: string,
  token: string,
  peer: { readonly host: string; readonly port: number },
): SaslRun => ({
  first: `n,a=${writeSaslName(user)},\x01host=${peer.host}\x01port=${peer.port}\x01auth=Bearer ${token}\x01\x01`,
  answer: () => '\x01',
  fault: undefined,
})
