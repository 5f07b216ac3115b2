import { sameSecret, sha256 } from '@posthorn/system'
import {
  provedKey,
  readClientFinal,
  readClientFirst,
  signedWords,
  writeServerFinal,
  writeServerFirst,
  type ClientFirst,
} from '@posthorn/smtp'
import type { ScramVerifier } from '@posthorn/contracts'
import { malformed } from './step.ts'
import { base64, decodeBase64, isName, textOf } from './text.ts'
import type { SaslContext, SaslMechanism, SaslStep } from './step.ts'

/** The one type of channel binding that TLS 1.3 has (RFC 9266 §2). */
const TYPE = 'p=tls-exporter'
/** Of a client's own part of the nonce. */
const LONGEST_NONCE = 256

/** What was said about channel binding must fit the mechanism, or somebody took an offer out of our list (RFC 5802 §6). */
const isHonest = (flag: string, plus: boolean, { bindingOffered }: SaslContext): boolean =>
  plus ? flag === TYPE : flag === 'n' || (flag === 'y' && !bindingOffered)

/** The client proves that it has the password without sending it, and we that we have what was made of it. */
const final = (
  first: ClientFirst,
  challenge: string,
  {
    nonce,
    verifier,
    binding,
  }: { readonly nonce: string; readonly verifier: ScramVerifier; readonly binding: Uint8Array },
): ((response: Uint8Array) => SaslStep) => {
  return response => {
    const said = readClientFinal(textOf(response) ?? '')
    const channel = decodeBase64(said?.channel ?? '=')
    const proof = decodeBase64(said?.proof ?? '=')
    if (said === undefined || channel === undefined || proof?.length !== 32) return malformed
    const { user } = first
    const expected = Buffer.concat([Buffer.from(first.header), binding])
    // An old answer has an old nonce, one through somebody else's TLS another binding.
    if (said.nonce !== nonce || !expected.equals(channel)) return { denied: user }
    const words = signedWords(first.bare, challenge, said.unproved)
    if (!sameSecret(provedKey(proof, verifier.storedKey, words, sha256), verifier.storedKey)) return { denied: user }
    return {
      challenge: base64(writeServerFinal(base64(sha256.hmac(verifier.serverKey, words)))),
      // RFC 4954 §4: success carries no data, so the server's proof is a challenge and its answer is empty.
      next: (rest: Uint8Array): SaslStep =>
        rest.length === 0 ? { identity: { user: verifier.user ?? user } } : malformed,
    }
  }
}

const scram = (plus: boolean): SaslMechanism => {
  const begin = (message: Uint8Array, context: SaslContext): SaslStep => {
    const first = readClientFirst(textOf(message) ?? '')
    if (first === undefined || !isName(first.user) || first.nonce.length > LONGEST_NONCE) return malformed
    const { flag, actFor, user } = first
    const binding = plus ? context.binding() : none
    if (!isHonest(flag, plus, context) || binding === undefined || (actFor !== '' && actFor !== user))
      return { denied: user }
    return {
      ask: 'verifier',
      user,
      next: (known: ScramVerifier | undefined): SaslStep => {
        // Whoever is not there is asked for a proof like anybody else.
        const verifier = known ?? context.decoy(user)
        const nonce = `${first.nonce}${context.nonce()}`
        const { iterations } = verifier
        const challenge = writeServerFirst({ nonce, salt: base64(verifier.salt), iterations })
        return { challenge: base64(challenge), next: final(first, challenge, { nonce, verifier, binding }) }
      },
    }
  }
  return (initial, context) =>
    initial === undefined
      ? { challenge: '', next: (response: Uint8Array): SaslStep => begin(response, context) }
      : begin(initial, context)
}
const none = new Uint8Array(0)

/** SCRAM-SHA-256 (RFC 5802, RFC 7677). */
export const scramSha256: SaslMechanism = scram(false)
/** The same bound to the TLS connection under it, so that nobody can stand in between (RFC 5802 §6, RFC 9266). */
export const scramSha256Plus: SaslMechanism = scram(true)
