import type { TlsNeed } from '@posthorn/contracts'
import type { Credentials } from './credentials.ts'

/** Where to send: one address, and on what terms. The same object for many messages is cheaper than many equal ones. */
export interface Target {
  readonly protocol: 'smtp' | 'lmtp'
  /** The peer's name: for people, and dialled when there is no `ip`. */
  readonly host: string
  readonly ip?: string
  readonly port: number
  /** A local socket instead of an address. */
  readonly path?: string
  readonly tls: TlsNeed
  /** TLS from the first byte (RFC 8314). */
  readonly implicitTls?: boolean
  readonly credentials?: Credentials
  /** Let the credentials go in clear; for peers on this machine. */
  readonly authInClear?: boolean
  /** The local address to send from. */
  readonly source?: string
  readonly messagesPerConnection?: number
  /** False: never BDAT, whatever the peer offers. */
  readonly chunking?: boolean
}

/** For people and logs, such as `mx.example.org[192.0.2.1]:25`. */
export const nameOf = (to: Target, ip: string | undefined = to.ip): string => {
  if (to.path !== undefined) return `${to.host}[${to.path}]`
  return ip === undefined || ip === to.host ? `${to.host}:${to.port}` : `${to.host}[${ip}]:${to.port}`
}

/** Sources of tokens are told apart by who they are: what they say changes. */
const sources = new WeakMap<object, number>()
let sourceCount = 0
const secretOf = (credentials: Credentials): readonly (string | number)[] => {
  if ('external' in credentials) return ['external', credentials.user ?? '', 0]
  if ('password' in credentials) return [credentials.user, credentials.password]
  const id = sources.get(credentials.tokens) ?? ++sourceCount
  sources.set(credentials.tokens, id)
  return [credentials.user, id]
}

const keys = new WeakMap<Target, string>()

/** Equal for targets between which a connection may be shared: same peer, same source, same TLS, same login. */
export const keyOf = (to: Target): string => {
  const known = keys.get(to)
  if (known !== undefined) return known
  const { tls } = to
  const key = JSON.stringify([
    to.protocol,
    to.path ?? [to.ip ?? to.host, to.port],
    to.source,
    to.implicitTls === true,
    [tls.level, tls.because, tls.names, tls.ca, tls.certificate?.certPem],
    tls.tlsa?.map(r => [r.usage, r.selector, r.matching, Buffer.from(r.data).toString('hex')]),
    to.credentials && [...secretOf(to.credentials), to.authInClear],
  ])
  keys.set(to, key)
  return key
}
