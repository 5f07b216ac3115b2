import type { Network, Wire } from '@posthorn/contracts'
import { connectedSocket, connectedWire } from './connect.ts'

/** Settings of the system's network. */
export interface NetworkOptions {
  /** 30 seconds when absent. The signal given to `dial` may be shorter. */
  readonly connectTimeoutMs?: number
  /** Authorities (PEM) to trust instead of the system's, when a TLS need names none. */
  readonly ca?: readonly string[]
}

/** Dial by the operating system: TCP, or a local socket when a path is given. Nagle's delay is off. */
export const systemNetwork = (o: NetworkOptions = {}): Network => ({
  async dial(to, signal): Promise<Wire> {
    const socket = await connectedSocket(to, o.connectTimeoutMs ?? 30_000, signal)
    return connectedWire(socket, { port: to.port, ca: o.ca })
  },
})
