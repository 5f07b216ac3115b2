import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { CertificatePair } from '@posthorn/contracts'

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const tried = <T>(what: string, make: () => T): T => {
  try {
    return make()
  } catch (error) {
    throw new Error(`${what}: ${reason(error)}`, { cause: error })
  }
}

/**
 * Check that a pair can serve: both parts parse and belong together. Throws an Error that names the part at fault;
 * `cert` and `key` are what to call them, such as their paths.
 */
export const checkPair = (pair: CertificatePair, cert = 'the certificate', key = 'the key'): CertificatePair => {
  const certificate = tried(`${cert} is not a PEM certificate`, () => new X509Certificate(pair.certPem))
  const privateKey = tried(`${key} is not a PEM private key without a passphrase`, () => createPrivateKey(pair.keyPem))
  if (!certificate.checkPrivateKey(privateKey)) throw new Error(`${key} does not belong to ${cert}`)
  return pair
}
