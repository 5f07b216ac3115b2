import { mechanismsFor, saslMechanisms } from './sasl/mechanisms.ts'
import type { Service } from './service.ts'
import type { Limits } from './limits.ts'

/** What EHLO depends on besides the service. */
export interface Standing {
  readonly secure: boolean
  readonly authenticated: boolean
  /** TLS that a log-in can be bound to. */
  readonly binding: boolean
  /** A certificate of the client's. */
  readonly certificate: boolean
}

/** Whether AUTH may be used now. Clear-text mechanisms wait for TLS (RFC 4954 §4). */
export const mayAuthenticate = (
  service: Service,
  { secure, authenticated }: Pick<Standing, 'secure' | 'authenticated'>,
): boolean => service.authenticator !== undefined && !authenticated && (secure || service.authRequiresTls === false)

/** The mechanisms of a service: those named, or all that its authenticator can work with. */
const mechanismsOf = ({ authenticator, mechanisms }: Service): readonly string[] =>
  authenticator === undefined ? [] : (mechanisms ?? mechanismsFor(authenticator))

/** Those of them that can work on this connection. */
export const mechanismsNow = (
  service: Service,
  standing: Pick<Standing, 'binding' | 'certificate'>,
): readonly string[] =>
  mechanismsOf(service).filter(name => {
    const needs = saslMechanisms.get(name)?.needs
    return needs === undefined || standing[needs]
  })

/** The lines of the answer to EHLO and LHLO, keyword and parameters (RFC 5321 §4.1.1.1). */
export const keywords = (service: Service, limits: Limits, standing: Standing): readonly string[] => [
  'PIPELINING',
  `SIZE ${limits.messageBytes}`,
  '8BITMIME',
  'ENHANCEDSTATUSCODES',
  'DSN',
  ...(service.chunking === false ? [] : ['CHUNKING', 'BINARYMIME']),
  ...(service.smtputf8 === false ? [] : ['SMTPUTF8']),
  ...(service.tls !== undefined && !standing.secure ? ['STARTTLS'] : []),
  ...(mayAuthenticate(service, standing) ? [`AUTH ${mechanismsNow(service, standing).join(' ')}`] : []),
  ...service.chain.ehlo,
]
