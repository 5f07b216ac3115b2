import { randomBytes } from 'node:crypto'
import { createSecureContext, TLSSocket, type SecureContext } from 'node:tls'
import type { Duplex } from 'node:stream'
import type { CertificatePair, ServerTls } from '@posthorn/contracts'

/** More names than this and the contexts are made again now and then. */
const MAX_CONTEXTS = 1000

/** A client that offers only other protocols is lost or an attack through a confused deputy (ALPACA), so the handshake fails. */
const OUR_PROTOCOLS: readonly string[] = ['smtp', 'lmtp']

/**
 * The secure contexts of one listening service. Each has ticket keys and a session id context of its own, so that a ticket of
 * one service is worth nothing at another.
 */
interface Contexts {
  forName(sni: string | undefined): SecureContext
  /** The same for Node. */
  readonly choose: (name: string, done: (error: Error | null, context?: SecureContext) => void) => void
  /** Each name with its length before it, as the handshake has it. */
  readonly alpn: Uint8Array
}

const made = new WeakMap<ServerTls, Contexts>()

const contextsOf = (tls: ServerTls): Contexts => {
  const known = made.get(tls)
  if (known !== undefined) return known
  const cache = new Map<string, { readonly keyPem: string; readonly context: SecureContext }>()
  tls.certificates.onChange(() => cache.clear())
  const ca = tls.clientCertificates?.ca
  const sessionIdContext = randomBytes(16).toString('hex')
  const contextOf = (pair: CertificatePair): SecureContext => {
    const cached = cache.get(pair.certPem)
    if (cached?.keyPem === pair.keyPem) return cached.context
    if (cache.size >= MAX_CONTEXTS) cache.clear()
    const context = createSecureContext({
      cert: pair.certPem,
      key: pair.keyPem,
      minVersion: 'TLSv1.2',
      sessionIdContext,
      ...(ca === undefined ? {} : { ca: [...ca] }),
    })
    cache.set(pair.certPem, { keyPem: pair.keyPem, context })
    return context
  }
  const forName = (sni: string | undefined): SecureContext => contextOf(tls.certificates.forName(sni))
  const contexts: Contexts = {
    forName,
    choose: (name, done) => {
      try {
        done(null, forName(cleanServerName(name)))
      } catch (error) {
        done(error as Error)
      }
    },
    alpn: Buffer.from(
      (tls.alpn ?? OUR_PROTOCOLS).map(name => String.fromCharCode(name.length) + name).join(''),
      'latin1',
    ),
  }
  made.set(tls, contexts)
  return contexts
}

/** The name a client asked for when it is a plausible host name; anything else gets the default certificate. */
export const cleanServerName = (sni: string | false | null | undefined): string | undefined =>
  typeof sni === 'string' && sni.length <= 253 && /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?$/i.test(sni)
    ? sni.toLowerCase().replace(/\.$/, '')
    : undefined

/** Put the server's side of TLS over a paused stream. Throws when the default certificate is unusable. */
export const serverTlsSocket = (stream: Duplex, tls: ServerTls): TLSSocket => {
  const contexts = contextsOf(tls)
  return new TLSSocket(stream, {
    isServer: true,
    requestCert: tls.clientCertificates !== undefined,
    rejectUnauthorized: false,
    secureContext: contexts.forName(undefined),
    ALPNProtocols: contexts.alpn,
    ...(tls.certificates.sameForAll === true ? {} : { SNICallback: contexts.choose }),
  })
}
