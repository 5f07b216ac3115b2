import { duplexPair, type Duplex } from 'node:stream'
import type { Network, Wire } from '@posthorn/contracts'
import { socketWire } from '@posthorn/system'

/** Takes the far end of a connection, as a listener's `serve` does. */
export type Serve = (wire: Wire) => void

/** A network in memory: hosts by address, no sockets, no root. */
export interface LabNetwork {
  /** Something answers at this address and port; the result takes it down again. */
  attach(ip: string, port: number, serve: Serve): () => void
  /** The network as seen from a host. Nothing there is ECONNREFUSED; a host that is down is EHOSTUNREACH. */
  from(ip: string): Network
  /** Cut a host off, or bring it back. Connections that are open break. */
  setDown(ip: string, down: boolean): void
}

const refused = (code: string, ip: string, port: number): Error =>
  Object.assign(new Error(`connect ${code} ${ip}:${port}`), { code })

export const createLabNetwork = (): LabNetwork => {
  const services = new Map<string, Serve>()
  const down = new Set<string>()
  const open = new Map<string, Set<Wire>>()
  // Ephemeral ports, so that two connections of a host differ in the logs.
  let nextPort = 49_152

  /** Until its stream closes, a wire breaks with either of its hosts. */
  const remember = (hosts: readonly string[], wire: Wire, stream: Duplex): void => {
    for (const ip of hosts) open.set(ip, (open.get(ip) ?? new Set()).add(wire))
    stream.once('close', () => {
      for (const ip of hosts) open.get(ip)?.delete(wire)
    })
  }

  return {
    attach(ip, port, serve) {
      const key = `${ip} ${port}`
      if (services.has(key)) throw new Error(`${ip}:${port} is taken`)
      services.set(key, serve)
      return () => void services.delete(key)
    },
    from: source => ({
      async dial(to, signal) {
        signal?.throwIfAborted()
        const serve = services.get(`${to.host} ${to.port}`)
        if (down.has(to.host) || down.has(source)) throw refused('EHOSTUNREACH', to.host, to.port)
        if (serve === undefined) throw refused('ECONNREFUSED', to.host, to.port)
        const [near, far] = duplexPair()
        const here = { ip: to.source ?? source, port: nextPort }
        const there = { ip: to.host, port: to.port }
        nextPort = nextPort === 65_535 ? 49_152 : nextPort + 1
        const client = socketWire(near, { peer: there, local: here })
        const server = socketWire(far, { peer: here, local: there })
        remember([to.host, source], client, near)
        remember([to.host, source], server, far)
        serve(server)
        return client
      },
    }),
    setDown(ip, isDown) {
      if (!isDown) {
        down.delete(ip)
        return
      }
      down.add(ip)
      for (const wire of open.get(ip) ?? []) wire.abort()
      open.delete(ip)
    },
  }
}
