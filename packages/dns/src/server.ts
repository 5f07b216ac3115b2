import { createSocket } from 'node:dgram'
import type { Socket as UdpSocket } from 'node:dgram'
import { createServer, isIPv6 } from 'node:net'
import type { Server as TcpServer, Socket } from 'node:net'
import type { Message } from './message.ts'
import { decodeMessage } from './message.ts'
import { emptyReply, truncated, udpLimit, zoneReply } from './zone-reply.ts'
import type { Zones } from './zones.ts'

/** A question as it came in. */
export interface Question {
  /** In the case it was sent. */
  readonly name: string
  /** The number of its type. */
  readonly type: number
  readonly transport: 'udp' | 'tcp'
}

/** What a scripted server does instead of replying as the zones say: fail, keep silent, or send exactly these messages. */
export type Twist = 'servfail' | 'refused' | 'drop' | 'truncate' | readonly Uint8Array[]

export interface DnsServerOptions {
  /** 127.0.0.1 when absent. */
  readonly host?: string
  /** Of UDP and TCP alike; a free one when absent or 0. */
  readonly port?: number
  /** Asked about each question with the reply it would get; undefined lets that go out. */
  readonly twist?: (question: Question, reply: Uint8Array | undefined) => Twist | undefined
}

/** A running server. */
export interface DnsServer {
  readonly host: string
  readonly port: number
  /** Closes sockets and connections. */
  close(): Promise<void>
}

/** Idle TCP connections beyond these go, the oldest first: there is no other limit to how long one may idle. */
const mostConnections = 64

const emit = (
  zones: Zones,
  query: Message,
  o: DnsServerOptions,
  transport: Question['transport'],
): readonly Uint8Array[] => {
  const reply = zoneReply(zones, query)
  const { name = '', type = 0 } = query.question ?? {}
  const twist = o.twist?.({ name, type, transport }, reply)
  if (Array.isArray(twist)) return twist as readonly Uint8Array[]
  switch (twist) {
    case 'drop':
      return []
    case 'servfail':
      return [emptyReply(query, 'servFail')]
    case 'refused':
      return [emptyReply(query, 'refused')]
    case 'truncate':
      return [truncated(query)]
    default:
      if (reply === undefined) return []
      return transport === 'udp' && reply.length > udpLimit(query) ? [truncated(query)] : [reply]
  }
}

const bindUdp = (host: string, port: number): Promise<UdpSocket> =>
  new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
    socket.once('error', reject)
    socket.bind(port, host, () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })

const listenTcp = (server: TcpServer, host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })

/** The same free port for both: the system hands out UDP's, and TCP's may be taken by another. */
const bindBoth = async (tcp: TcpServer, host: string, port: number): Promise<UdpSocket> => {
  for (let tries = 1; ; tries++) {
    const udp = await bindUdp(host, port)
    try {
      await listenTcp(tcp, host, udp.address().port)
      return udp
    } catch (error) {
      udp.close()
      if (port !== 0 || tries === 20) throw error
    }
  }
}

const onConnection = (socket: Socket, replies: (query: Message) => readonly Uint8Array[]): void => {
  let pending = Buffer.alloc(0)
  socket.on('error', () => socket.destroy())
  socket.on('data', chunk => {
    pending = Buffer.concat([pending, chunk])
    while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
      const end = 2 + pending.readUInt16BE(0)
      const query = decodeMessage(pending.subarray(2, end))
      pending = pending.subarray(end)
      if (query === undefined || query.response) {
        socket.destroy()
        return
      }
      for (const reply of replies(query))
        socket.write(Buffer.concat([Buffer.of(reply.length >> 8, reply.length & 255), reply]))
    }
  })
}

/**
 * Serve static zones over UDP and TCP, for the lab and for tests: one address, any failure on demand.
 * Not for the public: it neither limits rates nor knows delegations. Rejects when the port cannot be bound.
 */
export const createDnsServer = async (zones: Zones, o: DnsServerOptions = {}): Promise<DnsServer> => {
  const { host = '127.0.0.1', port = 0 } = o
  const connections = new Set<Socket>()
  const tcp = createServer(socket => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
    const [oldest] = connections
    if (connections.size > mostConnections) oldest?.destroy()
    onConnection(socket, query => emit(zones, query, o, 'tcp'))
  })
  const udp = await bindBoth(tcp, host, port)
  udp.on('message', (bytes, from) => {
    const query = decodeMessage(bytes)
    if (query === undefined || query.response) return
    for (const reply of emit(zones, query, o, 'udp')) udp.send(reply, from.port, from.address)
  })
  // A reply that cannot be sent is a lost packet.
  udp.on('error', () => undefined)
  return {
    host,
    port: udp.address().port,
    close: async () => {
      for (const socket of connections) socket.destroy()
      await Promise.all([
        new Promise<void>(resolve => udp.close(() => resolve())),
        new Promise<void>(resolve => tcp.close(() => resolve())),
      ])
    },
  }
}
