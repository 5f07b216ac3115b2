import { isIP } from 'node:net'
import type { Network } from '@posthorn/contracts'
import { ipOctets } from './ip-octets.ts'
import type { NetworkOptions } from './network.ts'
import { proxiedNetwork, proxyError, type Introduction, type ProxyAddress } from './proxied.ts'

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const VERSION_2_PROXY = 0x21
const OVER_TCP4 = 0x11
const OVER_TCP6 = 0x21

/** The header of version 2 of the PROXY protocol (proxy-protocol.txt §2.2). Undefined when the two are not of one family. */
export const proxyHeader = (
  source: { readonly ip: string; readonly port: number },
  destination: { readonly ip: string; readonly port: number },
): Buffer | undefined => {
  const [from, to] = [ipOctets(source.ip), ipOctets(destination.ip)]
  if (from === undefined || to === undefined || from.length !== to.length) return undefined
  const tail = Buffer.alloc(6)
  tail.writeUInt16BE(from.length * 2 + 4, 0)
  tail.writeUInt16BE(source.port, 2)
  tail.writeUInt16BE(destination.port, 4)
  const family = from.length === 4 ? OVER_TCP4 : OVER_TCP6
  return Buffer.concat([SIGNATURE, Buffer.of(VERSION_2_PROXY, family), tail.subarray(0, 2), from, to, tail.subarray(2)])
}

const introduction =
  (proxy: ProxyAddress): Introduction =>
  (socket, { peer, source }) => {
    // Without a source of ours the proxy chooses: the unspecified address says so.
    const ip = source ?? (isIP(peer.ip) === 4 ? '0.0.0.0' : '::')
    const header = proxyHeader({ ip, port: 0 }, peer)
    if (header === undefined) throw proxyError(proxy, `${ip} cannot be the source of a connection to ${peer.ip}`)
    socket.write(header)
  }

/**
 * Dial through a HAProxy that connects to the destination of the PROXY header (`accept-proxy`, then a server at 0.0.0.0:0 with
 * `source … usesrc clientip`): it has the source addresses that this machine has not.
 */
export const haproxyNetwork = (proxy: ProxyAddress, o: NetworkOptions = {}): Network =>
  proxiedNetwork(proxy, introduction(proxy), o)
