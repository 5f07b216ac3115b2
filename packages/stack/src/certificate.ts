import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname as machine } from 'node:os'
import { join } from 'node:path'
import { X509Certificate } from 'node:crypto'
import { fileCertificates, selfSigned, staticCertificates, type FileCertificates } from '@posthorn/tls-policy'
import type { CertificatePair, Certificates, Clock, Journal } from '@posthorn/contracts'
import type { Config } from './schema.ts'

const dayMs = 86_400_000

/** The operator's certificate, followed when its files change; or one of our own making, kept in `directory`. */
export const certificatesOf = async (
  config: Config,
  directory: string,
  o: { readonly clock: Clock; readonly journal: Journal },
): Promise<Certificates | FileCertificates> => {
  if (config.tls === undefined) return staticCertificates(await ownPair(config.hostname, directory, o.clock))
  return fileCertificates({
    pairs: config.tls,
    clock: o.clock,
    onRenewed: ({ certPem }, { cert }) =>
      o.journal.event('certificate.renewed', { file: cert, until: new X509Certificate(certPem).validTo }),
    onError: error => o.journal.event('error', { what: 'certificate', why: error.message }, 'error'),
  })
}

/** Made once and kept, so that who trusted it yesterday need not do so again; made anew when it is about to expire or the name changed. */
const ownPair = async (hostname: string, directory: string, clock: Clock): Promise<CertificatePair> => {
  const cert = join(directory, 'self-signed.crt')
  const key = join(directory, 'self-signed.key')
  if (existsSync(cert) && existsSync(key)) {
    const pair = { certPem: readFileSync(cert, 'utf8'), keyPem: readFileSync(key, 'utf8') }
    const known = new X509Certificate(pair.certPem)
    if (known.checkHost(hostname) !== undefined && Date.parse(known.validTo) - clock.wall() > 30 * dayMs) return pair
  }
  const names = [...new Set([hostname, 'localhost', machine().toLowerCase()])].filter(n => /^[a-z0-9.-]+$/.test(n))
  const pair = await selfSigned({ names: [...names, '127.0.0.1', '::1'] })
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  writeFileSync(key, pair.keyPem, { mode: 0o600 })
  writeFileSync(cert, pair.certPem, { mode: 0o600 })
  return pair
}
