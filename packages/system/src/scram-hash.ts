import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto'
import type { ScramHash } from '@posthorn/smtp'

/** SHA-256, for SCRAM-SHA-256 (RFC 7677). */
export const sha256: ScramHash = {
  hash: octets => createHash('sha256').update(octets).digest(),
  hmac: (key, text) => createHmac('sha256', key).update(text).digest(),
}

/** `Hi` of RFC 5802 §2.2 with SHA-256, of a prepared password. In the thread pool; a millisecond for some thousand iterations. */
export const saltedPassword = (password: string, salt: Uint8Array, iterations: number): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    pbkdf2(password, salt, iterations, 32, 'sha256', (error, key) => (error === null ? resolve(key) : reject(error)))
  })

/** Whether two secrets are the same, in a time that tells nothing of where they differ. */
export const sameSecret = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b)
