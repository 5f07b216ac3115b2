import { connect, type Socket } from 'node:net'
import type { Endpoint, Network, Wire } from '@posthorn/contracts'
import { socketWire } from './wire.ts'

/** What `dial` is asked for. */
export type Destination = Parameters<Network['dial']>[0]

/** Without the aggregate that Node makes of several addresses: one error with one code. */
const plainError = (error: Error): Error => {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined
  return first instanceof Error ? first : error
}

const timeoutError = (ms: number): Error =>
  Object.assign(new Error(`no connection within ${ms} ms`), { code: 'ETIMEDOUT' })

/** A peer on a local socket has no address; it is on this machine. */
const onThisMachine: Endpoint = { ip: '127.0.0.1', port: 0 }

const connected = (socket: Socket, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer)
      socket.off('connect', onConnect)
      socket.off('error', onError)
      signal?.removeEventListener('abort', onAbort)
    }
    const fail = (error: Error): void => {
      settle()
      socket.on('error', () => {})
      socket.destroy()
      reject(error)
    }
    const onConnect = (): void => {
      settle()
      resolve()
    }
    const onError = (error: Error): void => fail(plainError(error))
    const onAbort = (): void => fail(signal?.reason as Error)
    const timer = setTimeout(() => fail(timeoutError(timeoutMs)), timeoutMs)
    socket.on('connect', onConnect)
    socket.on('error', onError)
    signal?.addEventListener('abort', onAbort, { once: true })
  })

/** A connected socket; its errors are the caller's from now on. */
export const connectedSocket = async (
  to: Destination,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Socket> => {
  signal?.throwIfAborted()
  const socket = connect(
    to.path === undefined
      ? {
          host: to.host,
          port: to.port,
          noDelay: true,
          ...(to.source === undefined ? {} : { localAddress: to.source }),
        }
      : { path: to.path },
  )
  await connected(socket, timeoutMs, signal)
  return socket
}

/** The wire over it. `peer` is who is at the other end, when that is not who was dialled. */
export const connectedWire = (
  socket: Socket,
  o: { readonly port: number; readonly peer?: Endpoint; readonly ca: readonly string[] | undefined },
): Wire => {
  const ip = socket.remoteAddress
  return socketWire(socket, {
    peer: o.peer ?? (ip === undefined ? onThisMachine : { ip, port: socket.remotePort ?? o.port }),
    local: ip === undefined ? onThisMachine : { ip: socket.localAddress ?? '', port: socket.localPort ?? 0 },
    ...(o.ca === undefined ? {} : { ca: o.ca }),
  })
}
