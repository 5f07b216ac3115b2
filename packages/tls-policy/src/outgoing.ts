import type { Route, TlsNeed } from '@posthorn/contracts'

/**
 * What TLS towards a next hop must achieve. `names` are the host names we looked for, the first being the one dialled.
 * A hop that is given credentials is verified whatever its configuration says, so that they never reach a stranger. Mail for a domain's
 * exchangers is encrypted when they offer it (RFC 7435): a certificate proves nothing there without DANE or MTA-STS.
 */
export const outgoingTls = (route: Route, names: readonly string[]): TlsNeed => {
  if (route.via === 'mx') return { level: 'may', names, because: 'opportunistic' }
  if (route.via === 'transport') return { level: 'never', names, because: 'configuration' }
  if (route.credentials !== undefined) return { level: 'verify', names, because: 'credentials' }
  if (route.tls !== undefined) return { level: route.tls, names, because: 'configuration' }
  // With TLS from the first byte there is no clear text to fall back to (RFC 8314 §3).
  if (route.implicitTls === true) return { level: 'encrypt', names, because: 'configuration' }
  return { level: 'may', names, because: 'opportunistic' }
}
