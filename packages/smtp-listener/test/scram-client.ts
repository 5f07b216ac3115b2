import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import type { ScramVerifier } from '@posthorn/contracts'

const hmac = (key: Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest()
const hash = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()
const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64')

/** What a server keeps of a password. */
export const verifierOf = (password: string, user?: string): ScramVerifier => {
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
  const key = pbkdf2Sync(password, salt, 4096, 32, 'sha256')
  const verifier = {
    salt,
    iterations: 4096,
    storedKey: hash(hmac(key, 'Client Key')),
    serverKey: hmac(key, 'Server Key'),
  }
  return user === undefined ? verifier : { ...verifier, user }
}

/** The client's side of SCRAM-SHA-256, written from RFC 5802 alone. Texts are not yet base64. */
export class ScramClient {
  readonly #header: string
  readonly #bare: string
  readonly #password: string
  readonly #binding: Uint8Array
  #signature = ''

  constructor(o: { user: string; password: string; nonce?: string; header?: string; binding?: Uint8Array }) {
    this.#header = o.header ?? 'n,,'
    this.#bare = `n=${o.user},r=${o.nonce ?? base64(randomBytes(18))}`
    this.#password = o.password
    this.#binding = o.binding ?? new Uint8Array(0)
  }
  first(): string {
    return `${this.#header}${this.#bare}`
  }
  final(challenge: string): string {
    const [, nonce, salt, iterations] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(challenge) ?? []
    if (nonce === undefined || salt === undefined) throw new Error(`no challenge: ${challenge}`)
    const key = pbkdf2Sync(this.#password, Buffer.from(salt, 'base64'), Number(iterations), 32, 'sha256')
    const bound = base64(Buffer.concat([Buffer.from(this.#header), this.#binding]))
    const signed = `c=${bound},r=${nonce}`
    const text = `${this.#bare},${challenge},${signed}`
    const clientKey = hmac(key, 'Client Key')
    const signature = hmac(hash(clientKey), text)
    this.#signature = `v=${base64(hmac(hmac(key, 'Server Key'), text))}`
    return `${signed},p=${base64(clientKey.map((octet, i) => octet ^ (signature[i] ?? 0)))}`
  }
  /** Whether the server has the password too. */
  trusts(last: string): boolean {
    return last === this.#signature
  }
}
