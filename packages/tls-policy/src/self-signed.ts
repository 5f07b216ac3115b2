// The certificate library resolves its parts through this polyfill and refuses to load without it.
import 'reflect-metadata'
import {
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import type { CertificatePair } from '@posthorn/contracts'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const DAY = 86_400_000

/** RFC 5280 §4.1.2.2: positive and at most 20 octets. */
const newSerial = (): string => {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes.toString('hex')
}

/**
 * A certificate that nobody vouches for, for first steps, tests and the lab: EC P-256, valid for all of `names` (host names
 * and addresses) from yesterday for `days` (365 when absent). Rejects with RangeError without a name.
 */
export const selfSigned = async (o: {
  readonly names: readonly string[]
  readonly days?: number
}): Promise<CertificatePair> => {
  const first = o.names[0]
  if (first === undefined) throw new RangeError('a certificate needs a name')
  cryptoProvider.set(webcrypto as never)
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  // Peers hold the dates against the real time, so the injected clock has no say here.
  const now = Date.now()
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    // RFC 5280 appendix A bounds a common name to 64 characters; names are compared with the extension alone (RFC 6125 §6.4.4).
    name: [{ CN: [first.slice(0, 64)] }],
    notBefore: new Date(now - DAY),
    notAfter: new Date(now + (o.days ?? 365) * DAY),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(
        o.names.map(value => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
      ),
    ],
  })
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return { certPem: `${certificate.toString('pem')}\n`, keyPem: `${PemConverter.encode(key, 'PRIVATE KEY')}\n` }
}
