import { sameSecret, saltedPassword, sha256 } from '@posthorn/system'
import {
  readServerFinal,
  readServerFirst,
  scramKeys,
  scramProof,
  signedWords,
  writeClientFinal,
  writeClientFirst,
  writeUnproved,
  type ScramKeys,
} from '@posthorn/smtp'
import type { SaslRun } from './sasl.ts'

/** RFC 7677 §4; fewer iterations make a stolen exchange cheap to guess at. */
const LEAST_ITERATIONS = 4096
/** More would be the peer's way to keep us busy. */
const MOST_ITERATIONS = 1_000_000

const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes as string).toString('base64')

interface Derived {
  readonly salt: string
  readonly iterations: number
  readonly keys: Promise<ScramKeys>
}
/** The last keys of each login: a server gives a user the same salt every time. */
const derived = new WeakMap<object, Derived>()

const keysFor = (login: ScramLogin, salt: string, iterations: number): Promise<ScramKeys> => {
  const known = derived.get(login)
  if (known?.salt === salt && known.iterations === iterations) return known.keys
  // RFC 5802 §2.2: prepared, so that what looks the same is the same.
  const salted = saltedPassword(login.password.normalize('NFKC'), Buffer.from(salt, 'base64'), iterations)
  const keys = salted.then(key => scramKeys(key, sha256))
  derived.set(login, { salt, iterations, keys })
  return keys
}

interface ScramLogin {
  readonly user: string
  readonly password: string
}
/** How the exchange is tied to the TLS connection (RFC 5802 §6). */
export type ScramBinding =
  | { readonly use: 'tls-exporter'; readonly data: Uint8Array }
  /** We could, and the server does not offer it: it will notice when somebody in between took the offer away. */
  | { readonly use: 'not-offered' }
  | { readonly use: 'none' }

/** SCRAM-SHA-256 and, with a binding in use, SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677, RFC 9266). */
export const scramRun = (login: ScramLogin, nonce: string, binding: ScramBinding): SaslRun => {
  const flag = binding.use === 'none' ? 'n' : binding.use === 'not-offered' ? 'y' : `p=${binding.use}`
  const first = writeClientFirst({ flag, user: login.user.normalize('NFKC'), nonce })
  const header = Buffer.from(first.header)
  const channel = base64(binding.use === 'tls-exporter' ? Buffer.concat([header, binding.data]) : header)
  let fault: string | undefined = 'the peer did not prove that it knows the password'
  let signature: Uint8Array | undefined
  const giveUp = (why: string): undefined => {
    fault = why
    return undefined
  }

  const prove = async (challenge: string): Promise<string | undefined> => {
    const asked = readServerFirst(challenge)
    if (asked?.nonce.startsWith(nonce) !== true || asked.nonce === nonce)
      return giveUp('the peer answered with a nonce of its own')
    const { salt, iterations } = asked
    if (iterations < LEAST_ITERATIONS || iterations > MOST_ITERATIONS)
      return giveUp(`the peer asks for ${iterations} iterations`)
    const keys = await keysFor(login, salt, iterations)
    const unproved = writeUnproved({ channel, nonce: asked.nonce })
    const words = signedWords(first.bare, challenge, unproved)
    signature = sha256.hmac(keys.serverKey, words)
    return writeClientFinal({ unproved, proof: base64(scramProof(keys, words, sha256)) })
  }
  const verify = (challenge: string, expected: Uint8Array): string | undefined => {
    const given = Buffer.from(readServerFinal(challenge) ?? '', 'base64')
    if (!sameSecret(given, expected)) return undefined
    fault = undefined
    return ''
  }
  return {
    first: first.text,
    answer: challenge => (signature === undefined ? prove(challenge) : verify(challenge, signature)),
    get fault() {
      return fault
    },
  }
}
