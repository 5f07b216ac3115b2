import { createHmac } from 'node:crypto'
import type { ScramVerifier } from '@posthorn/contracts'

const SALT = 16

/** Verifiers of users who do not exist: what a client sees of them must be as lasting as with others (RFC 5802 §9). */
export const decoys = (secret: Uint8Array, iterations: number): ((user: string) => ScramVerifier) => {
  const derive = (label: string, user: string): Uint8Array =>
    createHmac('sha256', secret)
      .update(`${label}\0${user.normalize('NFKC').toLowerCase()}`)
      .digest()
  return user => ({
    salt: derive('salt', user).subarray(0, SALT),
    iterations,
    storedKey: derive('stored key', user),
    serverKey: derive('server key', user),
  })
}
