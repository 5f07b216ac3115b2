import { xclientKeyword, xforwardKeyword } from '@posthorn/smtp'
import { mechanismOf, mechanismsFor } from './sasl/mechanisms.ts'
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
  /** Answered when it asks who is on a list. */
  readonly expn: boolean
  /** Believed when it says for whom it speaks, and where a message came from. */
  readonly xclient: boolean
  readonly xforward: boolean
}

/** Whether AUTH may be used now. Clear-text mechanisms wait for TLS (RFC 4954 §4). */
export const mayAuthenticate = (
  service: Service,
  { secure, authenticated }: Pick<Standing, 'secure' | 'authenticated'>,
): boolean => service.authenticator !== undefined && !authenticated && (secure || service.authRequiresTls === false)

/** The mechanisms of a service: those named, or all that its authenticator can work with. */
const mechanismsOf = ({ authenticator, mechanisms }: Service): readonly string[] =>
  authenticator === undefined ? [] : (mechanisms ?? mechanismsFor(authenticator))

/** Whether this mechanism is one of a service and can work on this connection. */
export const isOffered = (
  { authenticator, mechanisms }: Service,
  standing: Pick<Standing, 'binding' | 'certificate'>,
  name: string,
): boolean => {
  if (authenticator === undefined || mechanisms?.includes(name) === false) return false
  const offer = mechanismOf(authenticator, name)
  return offer !== undefined && (offer.needs === undefined || standing[offer.needs])
}
/** Those of them that can work on this connection. */
export const mechanismsNow = (
  service: Service,
  standing: Pick<Standing, 'binding' | 'certificate'>,
): readonly string[] => mechanismsOf(service).filter(name => isOffered(service, standing, name))

/** RFC 4865 §3: the longest interval in seconds, and the last date. */
const futureRelease = (ms: number, now: number): string =>
  `FUTURERELEASE ${Math.floor(ms / 1000)} ${new Date(now + ms).toISOString().replace(/\.\d+Z$/, 'Z')}`

/** RFC 2852 §3: with the shortest time in seconds, when there is one. */
const deliverBy = ({ minimumMs }: NonNullable<Service['deliverBy']>): string =>
  minimumMs > 0 ? `DELIVERBY ${Math.ceil(minimumMs / 1000)}` : 'DELIVERBY'

/** The lines of the answer to EHLO and LHLO, keyword and parameters (RFC 5321 §4.1.1.1). */
export const keywords = (
  service: Service,
  limits: Limits,
  { now, ...standing }: Standing & { readonly now: number },
): readonly string[] => [
  'PIPELINING',
  `SIZE ${limits.messageBytes}`,
  '8BITMIME',
  'ENHANCEDSTATUSCODES',
  ...(service.dsn === false ? [] : ['DSN']),
  ...(service.chunking === false ? [] : ['CHUNKING', 'BINARYMIME']),
  // RFC 9422 §4.2.
  `LIMITS RCPTMAX=${limits.recipients}`,
  // Nobody can ask for TLS all the way who has none here (RFC 8689 §2).
  ...(standing.secure ? ['REQUIRETLS'] : []),
  ...(service.smtputf8 === false ? [] : ['SMTPUTF8']),
  ...(service.tls !== undefined && !standing.secure ? ['STARTTLS'] : []),
  ...(mayAuthenticate(service, standing) ? [`AUTH ${mechanismsNow(service, standing).join(' ')}`] : []),
  // Where nobody answers for single recipients, there is nothing to tell.
  ...(service.protocol === 'smtp' && service.chain.has('message') ? ['PRDR'] : []),
  ...(service.priorities === true ? ['MT-PRIORITY MIXER'] : []),
  ...(limits.futureReleaseMs > 0 ? [futureRelease(limits.futureReleaseMs, now)] : []),
  ...(service.deliverBy === undefined ? [] : [deliverBy(service.deliverBy)]),
  ...(standing.expn ? ['EXPN'] : []),
  ...(service.queueRuns === undefined || service.protocol === 'lmtp' ? [] : ['ETRN']),
  ...(standing.xclient ? [xclientKeyword] : []),
  ...(standing.xforward ? [xforwardKeyword] : []),
  ...service.chain.ehlo,
]
