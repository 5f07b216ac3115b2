import { lstat, unlink } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { socketWire } from '@posthorn/system'
import type { Clock, Endpoint, Wire } from '@posthorn/contracts'
import { takeProxyHeader } from './proxied.ts'
import type { ProxyHeader } from './proxy-header.ts'
import type { ListenAt } from './service.ts'

/** The bench opens hundreds of connections at once, and so does the world; Node's default of 511 said aloud. */
const BACKLOG = 511

/** Who is believed to say for whom it connects, and must say so. */
export interface Proxies {
  readonly clock: Clock
  /** How long it may take to do so. */
  readonly ms: number
  trusted(ip: string): boolean
  refused(ip: string, why: string): void
}

const ignore = (): void => {}

/** A peer on a local socket has no address; it is on this machine. */
const onThisMachine: Endpoint = { ip: '127.0.0.1', port: 0 }

/** One spelling for each address: an IPv4 peer of a dual-stack socket is an IPv4 peer. */
const plainIp = (ip: string): string => (/^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(ip) ? ip.slice(7) : ip)

const wireOf = (socket: Socket, said?: ProxyHeader): Wire => {
  const { remoteAddress, remotePort, localAddress, localPort } = socket
  if (said !== undefined && 'peer' in said && said.peer !== undefined && said.local !== undefined) {
    const { peer, local } = said
    return socketWire(socket, {
      peer: { ip: plainIp(peer.ip), port: peer.port },
      local: { ip: plainIp(local.ip), port: local.port },
    })
  }
  if (remoteAddress === undefined) return socketWire(socket, { peer: onThisMachine, local: onThisMachine })
  return socketWire(socket, {
    peer: { ip: plainIp(remoteAddress), port: remotePort ?? 0 },
    local: { ip: plainIp(localAddress ?? ''), port: localPort ?? 0 },
  })
}

const isSocket = async (path: string): Promise<boolean> => {
  try {
    return (await lstat(path)).isSocket()
  } catch {
    return false
  }
}
const refuses = (path: string): Promise<boolean> =>
  new Promise(resolve => {
    const probe = connect({ path })
    probe.once('connect', () => {
      probe.destroy()
      resolve(false)
    })
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })

/**
 * `smtp-server` as far as it accepts connections: what it does with them from `connect` on is ours. TLS, also the implicit one,
 * is put under the session's wire, so that there is one way to do it; the library's built-in key is never offered to anyone.
 */
export class Engine extends SMTPServer {
  readonly #accept: (wire: Wire) => void
  readonly #proxies: Proxies | undefined
  /** On a local socket every peer lacks an address, on TCP only one that has left. */
  #local = false

  constructor(accept: (wire: Wire) => void, proxies?: Proxies) {
    super({
      logger: false,
      hideSTARTTLS: true,
      // A client that ends its side after the last command still gets its replies.
      allowHalfOpen: true,
      noDelay: true,
    })
    this.#accept = accept
    this.#proxies = proxies
    // What the library does before `connect` (a name for its session, a turn of the event loop) would be a tenth of a short session.
    this.server.removeAllListeners('connection')
    this.server.on('connection', socket => {
      // Until a session listens, a reset would end the process.
      socket.on('error', ignore)
      this.connect(socket)
    })
    this.on('error', () => {})
  }

  override connect(socket: Socket): void {
    if (socket.destroyed || (!this.#local && socket.remoteAddress === undefined)) socket.destroy()
    else if (this.#proxies?.trusted(plainIp(socket.remoteAddress ?? onThisMachine.ip)) === true)
      void this.#introduced(socket, this.#proxies)
    else this.#accept(wireOf(socket))
  }
  /** A proxy speaks before anybody else does, also before TLS. */
  async #introduced(socket: Socket, proxies: Proxies): Promise<void> {
    const ip = plainIp(socket.remoteAddress ?? onThisMachine.ip)
    const said = await takeProxyHeader(socket, proxies)
    if ('fault' in said) {
      proxies.refused(ip, said.fault)
      socket.destroy()
    } else if (!socket.destroyed) this.#accept(wireOf(socket, said))
  }

  /** Rejects with the system's error. */
  async open(at: ListenAt): Promise<{ readonly host: string; readonly port: number }> {
    const { server } = this
    this.#local = 'path' in at
    // Left by a process that ended without removing it. A plain file would refuse connections too, and is not ours to remove.
    if ('path' in at && (await isSocket(at.path)) && (await refuses(at.path))) await unlink(at.path)
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen({ ...at, backlog: BACKLOG }, () => {
        server.off('error', reject)
        const address = server.address()
        if (address === null || typeof address === 'string') resolve({ host: address ?? '', port: 0 })
        else resolve({ host: address.address, port: address.port })
      })
    })
  }
  /** Accept no more; what is open stays open. */
  shut(): void {
    if (this.server.listening) this.server.close()
  }
}
