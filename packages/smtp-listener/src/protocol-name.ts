/** What the `with` clause of a trace field and the intake are told. */
export interface ProtocolFacts {
  readonly hello: 'EHLO' | 'HELO' | 'LHLO'
  readonly smtputf8: boolean
  readonly secure: boolean
  readonly authenticated: boolean
}

/** The registered name of how a message came (RFC 3848; RFC 6531 §4.3 for UTF8). */
export const protocolName = ({ hello, smtputf8, secure, authenticated }: ProtocolFacts): string => {
  if (hello === 'HELO') return 'SMTP'
  const base = hello === 'LHLO' ? 'LMTP' : smtputf8 ? 'SMTP' : 'ESMTP'
  return `${smtputf8 ? 'UTF8' : ''}${base}${secure ? 'S' : ''}${authenticated ? 'A' : ''}`
}
