import type { TLSSocket } from 'node:tls'
import type { PeerCertificate } from '@posthorn/contracts'

/**
 * What OpenSSL found of the chain. Node tells it as `authorized` only of sockets that a `tls.Server` accepted; where it cannot be asked,
 * nobody is trusted.
 */
const chainFault = (socket: TLSSocket): string | undefined => {
  const { ssl } = socket as {
    readonly ssl?: { readonly verifyError?: () => (Error & { readonly code?: string }) | null | undefined }
  }
  if (ssl?.verifyError === undefined) return 'not verified'
  const error = ssl.verifyError()
  return error === null || error === undefined ? undefined : (error.code ?? error.message)
}

/** The certificate of a client, as a server sees it after the handshake; `undefined` where it sent none. */
export const clientCertificate = (socket: TLSSocket): PeerCertificate | undefined => {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return undefined
  const { subject, subjectAltName, fingerprint256 } = certificate
  const why = chainFault(socket)
  const commonName = /^CN=(.+)$/m.exec(subject)?.[1]
  return {
    trusted: why === undefined,
    ...(why === undefined ? {} : { why }),
    ...(commonName === undefined ? {} : { commonName }),
    names: subjectAltName?.split(', ') ?? [],
    fingerprint: fingerprint256.replaceAll(':', '').toLowerCase(),
  }
}
