import type { Service } from './service.ts'
import type { Limits } from './limits.ts'

/** What EHLO depends on besides the service. */
export interface Standing {
  readonly secure: boolean
  readonly authenticated: boolean
}

/** Whether AUTH may be used now. Clear-text mechanisms wait for TLS (RFC 4954 §4). */
export const mayAuthenticate = (service: Service, { secure, authenticated }: Standing): boolean =>
  service.authenticator !== undefined && !authenticated && (secure || service.authRequiresTls === false)

/** The mechanisms of a service. */
export const mechanismsOf = (service: Service): readonly string[] => service.mechanisms ?? ['PLAIN', 'LOGIN']

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
  ...(mayAuthenticate(service, standing) ? [`AUTH ${mechanismsOf(service).join(' ')}`] : []),
  ...service.chain.ehlo,
]
