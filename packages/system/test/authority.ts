import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { webcrypto, X509Certificate } from 'node:crypto'
import type { CertificatePair } from '@posthorn/contracts'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const day = 86_400_000

/** A certificate authority for one test, with as many servers as it likes. */
export interface Authority {
  readonly pem: string
  readonly certificate: X509Certificate
  issue(
    names: readonly string[],
    o?: { readonly notAfter?: Date },
  ): Promise<CertificatePair & { readonly leaf: X509Certificate }>
}

const newKeys = () => webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
const pemOfKey = async (key: webcrypto.CryptoKey): Promise<string> =>
  x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')

x509.cryptoProvider.set(webcrypto as never)

/** Make an authority; its servers show their own certificate and the authority's. */
export const newAuthority = async (): Promise<Authority> => {
  const keys = await newKeys()
  const notBefore = new Date(Date.now() - day)
  const notAfter = new Date(Date.now() + day)
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=Test authority',
    notBefore,
    notAfter,
    signingAlgorithm: algorithm,
    keys,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  })
  let serial = 2
  return {
    pem: root.toString('pem'),
    certificate: new X509Certificate(root.toString('pem')),
    async issue(names, o = {}) {
      const own = await newKeys()
      const certificate = await x509.X509CertificateGenerator.create({
        serialNumber: String(serial++).padStart(2, '0'),
        subject: 'CN=server',
        issuer: root.subject,
        notBefore: new Date(Date.now() - 2 * day),
        notAfter: o.notAfter ?? notAfter,
        signingAlgorithm: algorithm,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        extensions: [new x509.SubjectAlternativeNameExtension(names.map(value => ({ type: 'dns' as const, value })))],
      })
      return {
        certPem: `${certificate.toString('pem')}\n${root.toString('pem')}\n`,
        keyPem: await pemOfKey(own.privateKey),
        leaf: new X509Certificate(certificate.toString('pem')),
      }
    },
  }
}
