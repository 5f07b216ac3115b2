import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto'
import { saslName, type SaslRun } from './sasl.ts'

/** RFC 7677 §4; fewer iterations make a stolen exchange cheap to guess at. */
const LEAST_ITERATIONS = 4096
/** More would be the peer's way to keep us busy. */
const MOST_ITERATIONS = 1_000_000

const hmac = (key: Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest()
const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64')

const derive = (password: string, salt: Uint8Array, iterations: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    // RFC 5802 §2.2: prepared, so that what looks the same is the same.
    pbkdf2(password.normalize('NFKC'), salt, iterations, 32, 'sha256', (e, key) => (e ? reject(e) : resolve(key)))
  })

interface Derived {
  readonly salt: string
  readonly iterations: number
  readonly key: Promise<Buffer>
}
/** The last key of each login: a server gives a user the same salt every time. */
const derived = new WeakMap<object, Derived>()

const keyFor = (login: ScramLogin, salt: string, iterations: number): Promise<Buffer> => {
  const known = derived.get(login)
  if (known?.salt === salt && known.iterations === iterations) return known.key
  const key = derive(login.password, Buffer.from(salt, 'base64'), iterations)
  derived.set(login, { salt, iterations, key })
  return key
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
  const header = Buffer.from(`${flag},,`)
  const bound = binding.use === 'tls-exporter' ? Buffer.concat([header, binding.data]) : header
  const bare = `n=${saslName(login.user.normalize('NFKC'))},r=${nonce}`
  let fault: string | undefined = 'the peer did not prove that it knows the password'
  let signature: Buffer | undefined
  const giveUp = (why: string): undefined => {
    fault = why
    return undefined
  }

  const prove = async (challenge: string): Promise<string | undefined> => {
    const [, theirs = '', salt = '', count = ''] =
      /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/]+={0,2}),i=([1-9]\d{0,8})(?:,.*)?$/.exec(challenge) ?? []
    const iterations = Number(count)
    if (!theirs.startsWith(nonce) || theirs === nonce) return giveUp('the peer answered with a nonce of its own')
    if (iterations < LEAST_ITERATIONS || iterations > MOST_ITERATIONS)
      return giveUp(`the peer asks for ${iterations} iterations`)
    const key = await keyFor(login, salt, iterations)
    const unproved = `c=${base64(bound)},r=${theirs}`
    const message = `${bare},${challenge},${unproved}`
    const clientKey = hmac(key, 'Client Key')
    const mask = hmac(createHash('sha256').update(clientKey).digest(), message)
    signature = hmac(hmac(key, 'Server Key'), message)
    return `${unproved},p=${base64(clientKey.map((octet, i) => octet ^ (mask[i] ?? 0)))}`
  }
  const verify = (challenge: string, expected: Buffer): string | undefined => {
    const [, value = ''] = /^v=([A-Za-z0-9+/]{43}=)(?:,.*)?$/.exec(challenge) ?? []
    const given = Buffer.from(value, 'base64')
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
    fault = undefined
    return ''
  }
  return {
    first: `${flag},,${bare}`,
    answer: challenge => (signature === undefined ? prove(challenge) : verify(challenge, signature)),
    get fault() {
      return fault
    },
  }
}
