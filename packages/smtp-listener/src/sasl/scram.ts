import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { ScramVerifier } from '@posthorn/contracts'
import { malformed } from './step.ts'
import { base64, decodeBase64, isName, textOf } from './text.ts'
import type { SaslContext, SaslMechanism, SaslStep } from './step.ts'

/** The one type of channel binding that TLS 1.3 has (RFC 9266 §2). */
const TYPE = 'p=tls-exporter'
const NONCE = '[\\x21-\\x2b\\x2d-\\x7e]{1,256}'

/** `gs2-header client-first-message-bare` (RFC 5802 §7). A mandatory extension (`m=`) is none that we know. */
const firstMessage = new RegExp(`^([^,]{1,64}),(?:a=([^,]*))?,(n=([^,]*),r=(${NONCE})(?:,.*)?)$`, 's')
/** `c=…,r=…[,extensions],p=…`; the first group is what the proof signs. */
const finalMessage = new RegExp(`^(c=([^,]+),r=(${NONCE})(?:,[^,]+)*),p=([^,]+)$`, 's')

/** `=2C` and `=3D` stand for a comma and an equals sign; any other equals sign is a mistake (RFC 5802 §5.1). */
const saslName = (text: string): string | undefined =>
  /=(?!2C|3D)/.test(text) ? undefined : text.replaceAll('=2C', ',').replaceAll('=3D', '=')

const hmac = (key: Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest()
const exclusiveOr = (a: Uint8Array, b: Uint8Array): Buffer => Buffer.from(a.map((octet, i) => octet ^ (b[i] ?? 0)))

interface First {
  readonly header: string
  readonly bare: string
  readonly user: string
  readonly nonce: string
}

/** What was said about channel binding must fit the mechanism, or somebody took an offer out of our list (RFC 5802 §6). */
const isHonest = (flag: string, plus: boolean, { bindingOffered }: SaslContext): boolean =>
  plus ? flag === TYPE : flag === 'n' || (flag === 'y' && !bindingOffered)

const readFirst = (message: Uint8Array): (First & { readonly flag: string; readonly actFor: string }) | undefined => {
  const [, flag, actFor = '', bare, name, nonce] = firstMessage.exec(textOf(message) ?? '') ?? []
  if (flag === undefined || bare === undefined || name === undefined || nonce === undefined) return undefined
  const user = saslName(name)
  if (user === undefined || !isName(user)) return undefined
  return {
    flag,
    actFor: saslName(actFor) ?? '=',
    header: `${flag},${actFor === '' ? '' : `a=${actFor}`},`,
    bare,
    user,
    nonce,
  }
}

/** The client proves that it has the password without sending it, and we that we have what was made of it. */
const final = (
  first: First,
  challenge: string,
  {
    nonce,
    verifier,
    binding,
  }: { readonly nonce: string; readonly verifier: ScramVerifier; readonly binding: Uint8Array },
): ((response: Uint8Array) => SaslStep) => {
  return response => {
    const [, signed, bound, said, proofText] = finalMessage.exec(textOf(response) ?? '') ?? []
    const channel = decodeBase64(bound ?? '=')
    const proof = decodeBase64(proofText ?? '=')
    if (signed === undefined || channel === undefined || proof?.length !== 32) return malformed
    const { user } = first
    const expected = Buffer.concat([Buffer.from(first.header), binding])
    // An old answer has an old nonce, one through somebody else's TLS another binding.
    if (said !== nonce || !expected.equals(channel)) return { denied: user }
    const text = `${first.bare},${challenge},${signed}`
    const key = exclusiveOr(proof, hmac(verifier.storedKey, text))
    if (!timingSafeEqual(createHash('sha256').update(key).digest(), verifier.storedKey)) return { denied: user }
    return {
      challenge: base64(`v=${base64(hmac(verifier.serverKey, text))}`),
      // RFC 4954 §4: success carries no data, so the server's proof is a challenge and its answer is empty.
      next: (rest: Uint8Array): SaslStep =>
        rest.length === 0 ? { identity: { user: verifier.user ?? user } } : malformed,
    }
  }
}

const scram = (plus: boolean): SaslMechanism => {
  const begin = (message: Uint8Array, context: SaslContext): SaslStep => {
    const first = readFirst(message)
    if (first === undefined) return malformed
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
        const challenge = `r=${nonce},s=${base64(verifier.salt)},i=${verifier.iterations}`
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
