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
  /** What the peer said of a refusal besides its reply. */
  readonly told?: string | undefined
}

/** RFC 4616. Asked without an initial response, the challenge is empty. */
export const plainRun = (user: string, password: string): SaslRun => ({
  first: `\0${user}\0${password}`,
  answer: () => undefined,
  fault: undefined,
})

/** RFC 4422 §A: who we are is known from TLS; this is whom we want to act as, or nothing. */
export const externalRun = (user: string): SaslRun => ({ first: user, answer: () => undefined, fault: undefined })

/** Never standardised (draft-murchison-sasl-login); whatever the two prompts say, they are for these. */
export const loginRun = (user: string, password: string): SaslRun => {
  const left = [user, password]
  return { first: undefined, answer: () => left.shift(), fault: undefined }
}

/** The error in a challenge (RFC 7628 §3.2.2), as far as it is one: a peer's words, so only short and plain ones. */
const errorIn = (challenge: string): string | undefined => {
  try {
    const { status } = JSON.parse(challenge) as { readonly status?: unknown }
    return typeof status === 'string' && /^[\x21-\x7e]{1,40}$/.test(status) ? status : undefined
  } catch {
    return undefined
  }
}
/** A token is all there is to say; a challenge is the error, to be answered so that the peer can refuse. */
const tokenRun = (first: string, answer: string): SaslRun => {
  let told: string | undefined
  return {
    first,
    answer: challenge => {
      told = errorIn(challenge)
      return answer
    },
    fault: undefined,
    get told() {
      return told
    },
  }
}

/** Google's and Microsoft's own. */
export const xoauth2Run = (user: string, token: string): SaslRun =>
  tokenRun(`user=${user}\x01auth=Bearer ${token}\x01\x01`, '')

/** RFC 7628 §3.1; the error is answered by one control-A (RFC 7628 §3.2.3). */
export const oauthBearerRun = (
  user: string,
  token: string,
  peer: { readonly host: string; readonly port: number },
): SaslRun =>
  tokenRun(
    `n,a=${writeSaslName(user)},\x01host=${peer.host}\x01port=${peer.port}\x01auth=Bearer ${token}\x01\x01`,
    '\x01',
  )
