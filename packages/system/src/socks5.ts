import type { Network } from '@posthorn/contracts'
import { ipOctets } from './ip-octets.ts'
import type { NetworkOptions } from './network.ts'
import { proxiedNetwork, proxyError, take, type Introduction, type ProxyAddress } from './proxied.ts'

/** A SOCKS5 proxy, and who we are to it. */
export interface SocksProxy extends ProxyAddress {
  /** At most 255 octets each. */
  readonly login?: { readonly user: string; readonly password: string }
}

const VERSION = 5
const NO_LOGIN = 0
const BY_PASSWORD = 2

/** RFC 1928 §6, as the system would have said it. */
const refusals: Readonly<Record<number, readonly [string, string]>> = {
  1: ['general failure', 'EPROXY'],
  2: ['not allowed by its rules', 'EPROXY'],
  3: ['no route to network', 'ENETUNREACH'],
  4: ['no route to host', 'EHOSTUNREACH'],
  5: ['connection refused', 'ECONNREFUSED'],
  6: ['connection timed out', 'ETIMEDOUT'],
}

const counted = (text: string): Buffer => {
  const bytes = Buffer.from(text)
  if (bytes.length === 0 || bytes.length > 255) throw new RangeError('a SOCKS login has 1 to 255 octets')
  return Buffer.concat([Buffer.of(bytes.length), bytes])
}

const introduction =
  (proxy: SocksProxy): Introduction =>
  async (socket, { peer }, signal) => {
    const fail = (why: string, code?: string): Error => proxyError(proxy, why, code)
    const hear = (length: number): Promise<Buffer> =>
      take(socket, length, signal).catch((error: unknown) => {
        throw signal.aborted ? error : fail((error as Error).message)
      })
    const { login } = proxy
    socket.write(Buffer.of(VERSION, 1, login === undefined ? NO_LOGIN : BY_PASSWORD))
    const [version, method] = await hear(2)
    if (version !== VERSION) throw fail('does not speak SOCKS5')
    if (method !== (login === undefined ? NO_LOGIN : BY_PASSWORD)) throw fail('does not take us')
    if (login !== undefined) {
      // RFC 1929 §2.
      socket.write(Buffer.concat([Buffer.of(1), counted(login.user), counted(login.password)]))
      if ((await hear(2))[1] !== 0) throw fail('refuses the login')
    }
    const address = ipOctets(peer.ip) ?? Buffer.of(0, 0, 0, 0)
    const port = Buffer.of(peer.port >> 8, peer.port & 255)
    socket.write(Buffer.concat([Buffer.of(VERSION, 1, 0, address.length === 4 ? 1 : 4), address, port]))
    const [, answer = 1, , kind = 0] = await hear(4)
    if (answer !== 0) {
      const [why, code] = refusals[answer] ?? ['an answer without a meaning', 'EPROXY']
      throw fail(why, code)
    }
    // The address that it is bound to; nobody asks for it, but the peer's first octet stands behind it.
    const length = kind === 1 ? 4 : kind === 4 ? 16 : kind === 3 ? (await hear(1))[0]! : undefined
    if (length === undefined) throw fail('does not speak SOCKS5')
    await hear(length + 2)
  }

/** Dial through a SOCKS5 proxy (RFC 1928), with a login by name and password (RFC 1929) if it has one. Sources are the proxy's affair. */
export const socksNetwork = (proxy: SocksProxy, o: NetworkOptions = {}): Network =>
  proxiedNetwork(proxy, introduction(proxy), o)
