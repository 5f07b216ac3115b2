import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import {
  checkServerIdentity,
  connect,
  type DetailedPeerCertificate,
  type PeerCertificate,
  type TLSSocket,
} from 'node:tls'
import type { Duplex } from 'node:stream'
import type { TlsNeed } from '@posthorn/contracts'
import { daneFault, usableTlsa } from './dane.ts'

/** Longer chains are cut; no real one is. */
const MAX_CHAIN = 16

const bearsOneOf = (names: readonly string[], certificate: PeerCertificate): boolean =>
  names.some(name => checkServerIdentity(name, certificate) === undefined)

/** Put the client's side of TLS over a paused stream. Nothing is refused yet: `peerFault` judges after the handshake. */
export const clientTlsSocket = (stream: Duplex, need: TlsNeed, ca: readonly string[] | undefined): TLSSocket => {
  const sni = need.names[0]
  const authorities = need.ca ?? ca
  return connect({
    socket: stream,
    ...(sni !== undefined && isIP(sni) === 0 ? { servername: sni } : {}),
    ...(authorities === undefined ? {} : { ca: [...authorities] }),
    ...(need.certificate === undefined ? {} : { cert: need.certificate.certPem, key: need.certificate.keyPem }),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: false,
    checkServerIdentity: (_host, certificate) =>
      bearsOneOf(need.names, certificate)
        ? undefined
        : new Error(`the certificate bears none of the names ${need.names.join(', ')}`),
  })
}

const chainOf = (socket: TLSSocket): X509Certificate[] => {
  const chain: X509Certificate[] = []
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
  while (next?.raw !== undefined && chain.length < MAX_CHAIN) {
    chain.push(new X509Certificate(next.raw))
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate
  }
  return chain
}

/** What the authorities and the names say about the peer: undefined when all is well. */
const pkixFault = (socket: TLSSocket): string | undefined => {
  if (socket.authorized) return undefined
  // Node gives OpenSSL's symbol as a string, whatever its types say, and an Error for what checkServerIdentity found.
  const why: unknown = socket.authorizationError
  return why instanceof Error ? why.message : `the certificate is not trusted (${String(why)})`
}

/** The reason why the peer's certificate is not what the need asks for. Levels that do not check report and do not enforce. */
export const peerFault = (socket: TLSSocket, need: TlsNeed): { readonly why?: string; readonly enforced: boolean } => {
  if (need.level === 'dane') {
    const records = (need.tlsa ?? []).filter(usableTlsa)
    // RFC 7672 §2.2: records that exist but cannot be used ask for encryption without a check.
    if (records.length === 0 && (need.tlsa ?? []).length > 0) return { why: 'no usable TLSA record', enforced: false }
    const names = bearsOneOf(need.names, socket.getPeerCertificate())
    const why = daneFault(chainOf(socket), records, names, Date.now())
    return why === undefined ? { enforced: true } : { why, enforced: true }
  }
  const why = pkixFault(socket)
  return why === undefined ? { enforced: false } : { why, enforced: need.level === 'verify' }
}
