import { once } from 'node:events'
import { lookup } from 'node:dns/promises'
import { isIP, type Socket } from 'node:net'
import type { Endpoint, Network } from '@posthorn/contracts'
import { connectedSocket, connectedWire, type Destination } from './connect.ts'
import { systemNetwork, type NetworkOptions } from './network.ts'

/** Where a proxy listens. */
export interface ProxyAddress {
  readonly host: string
  readonly port: number
}

/** A failure of the proxy, not of the peer behind it. */
export const proxyError = (proxy: ProxyAddress, why: string, code: string = 'EPROXY'): Error =>
  Object.assign(new Error(`proxy ${proxy.host}:${proxy.port}: ${why}`), { code })

/** Exactly so many octets; what follows them stays in the socket for the wire. Rejects when the proxy closes before. */
export const take = async (socket: Socket, length: number, signal: AbortSignal): Promise<Buffer> => {
  for (;;) {
    const bytes = socket.read(length) as Buffer | null
    if (bytes?.length === length) return bytes
    if (bytes !== null || socket.readableEnded || socket.destroyed) throw new Error('closed the connection')
    const over = new AbortController()
    const either = { signal: AbortSignal.any([signal, over.signal]) }
    await Promise.race(['readable', 'end', 'close'].map(event => once(socket, event, either))).finally(() =>
      over.abort(),
    )
  }
}

/** What to say to a proxy before the socket leads to the peer. Rejects when it will not lead there. */
export type Introduction = (
  socket: Socket,
  to: { readonly peer: Endpoint; readonly source: string | undefined },
  signal: AbortSignal,
) => Promise<void> | void

const introduced = async (
  socket: Socket,
  introduce: (signal: AbortSignal) => Promise<void> | void,
  o: { readonly ms: number; readonly signal: AbortSignal | undefined },
): Promise<void> => {
  const late = AbortSignal.timeout(o.ms)
  const signal = o.signal === undefined ? late : AbortSignal.any([o.signal, late])
  const ignore = (): void => {}
  socket.on('error', ignore)
  try {
    await introduce(signal)
    socket.off('error', ignore)
  } catch (error) {
    socket.destroy()
    throw signal.aborted ? (signal.reason as Error) : error
  }
}

/** A name is looked up by the system: proxies are given addresses, so that what was checked is what is dialled. */
const endpointOf = async ({ host, port }: Destination): Promise<Endpoint> =>
  isIP(host) === 0 ? { ip: (await lookup(host)).address, port } : { ip: host, port }

/** Through a proxy; local sockets are dialled directly. */
export const proxiedNetwork = (proxy: ProxyAddress, introduce: Introduction, o: NetworkOptions): Network => {
  const direct = systemNetwork(o)
  const ms = o.connectTimeoutMs ?? 30_000
  return {
    async dial(to, signal) {
      if (to.path !== undefined) return direct.dial(to, signal)
      const peer = await endpointOf(to)
      const socket = await connectedSocket({ ...proxy }, ms, signal).catch((error: Error) => {
        throw signal?.aborted === true ? error : proxyError(proxy, error.message)
      })
      await introduced(socket, s => introduce(socket, { peer, source: to.source }, s), { ms, signal })
      return connectedWire(socket, { port: to.port, peer, ca: o.ca })
    },
  }
}
