import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import type { Message } from './message.ts'
import { decodeMessage, encodeQuery, isReplyTo } from './message.ts'
import type { RecordType } from './record.ts'
import type { Server } from './servers.ts'

/** One question to one server. */
export interface Query {
  readonly id: number
  /** In the case that goes on the wire. */
  readonly name: string
  readonly type: RecordType
  /** The reply must echo the case (draft-vixie-dnsext-dns0x20). */
  readonly exactCase: boolean
}

/** No usable reply: none in time, or the server cannot be reached or does not speak the protocol. */
export type NoReply = 'timeout' | 'unreachable'

/** So many packets that answer something else look like somebody guessing: go on over TCP, where guessing is hopeless. */
const mostStrays = 16

const isAnswer = (message: Message, { id, name, type, exactCase }: Query): boolean =>
  isReplyTo(message, id, name, type, exactCase)

/**
 * Over UDP. A socket of its own for each query, connected, so that the system picks a random source port and drops what
 * comes from another address; what bears another id or question is ignored (RFC 5452 §9).
 */
const overUdp = (query: Query, server: Server, signal: AbortSignal): Promise<Message | NoReply | 'tcp'> =>
  new Promise(resolve => {
    if (signal.aborted) return resolve('timeout')
    const socket = createSocket(isIPv6(server.ip) ? 'udp6' : 'udp4')
    let strays = 0
    let open = true
    const finish = (result: Message | NoReply | 'tcp'): void => {
      if (!open) return
      open = false
      signal.removeEventListener('abort', onAbort)
      socket.close()
      resolve(result)
    }
    const onAbort = (): void => finish('timeout')
    signal.addEventListener('abort', onAbort, { once: true })
    socket.on('error', () => finish('unreachable'))
    socket.on('message', bytes => {
      const message = decodeMessage(bytes)
      if (message !== undefined && isAnswer(message, query)) finish(message.truncated ? 'tcp' : message)
      else if (++strays >= mostStrays) finish('tcp')
    })
    socket.on('connect', () => {
      if (open) socket.send(encodeQuery(query.id, query.name, query.type))
    })
    socket.connect(server.port, server.ip)
  })

/** Over TCP: two octets of length before each message (RFC 1035 §4.2.2, RFC 7766). */
const overTcp = (query: Query, server: Server, signal: AbortSignal): Promise<Message | NoReply> =>
  new Promise(resolve => {
    if (signal.aborted) return resolve('timeout')
    const socket = connect({ host: server.ip, port: server.port, noDelay: true })
    const chunks: Uint8Array[] = []
    let length = 0
    const finish = (result: Message | NoReply): void => {
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      resolve(result)
    }
    const onAbort = (): void => finish('timeout')
    signal.addEventListener('abort', onAbort, { once: true })
    socket.on('error', () => finish('unreachable'))
    socket.on('close', () => finish('unreachable'))
    socket.on('data', chunk => {
      chunks.push(chunk)
      length += chunk.length
      if (length < 2 || length < 2 + Buffer.concat(chunks.slice(0, 2)).readUInt16BE(0)) return
      const all = Buffer.concat(chunks)
      const message = decodeMessage(all.subarray(2, 2 + all.readUInt16BE(0)))
      finish(message !== undefined && isAnswer(message, query) ? message : 'unreachable')
    })
    const bytes = encodeQuery(query.id, query.name, query.type)
    socket.write(Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes]))
  })

/** Ask one server, over TCP when the reply does not fit. Never rejects; ends when the signal says so. */
export const exchange = async (query: Query, server: Server, signal: AbortSignal): Promise<Message | NoReply> => {
  const reply = await overUdp(query, server, signal)
  return reply === 'tcp' ? overTcp(query, server, signal) : reply
}
