import type { Socket } from 'node:net'
import type { Clock } from '@posthorn/contracts'
import { readProxyHeader } from './proxy-header.ts'
import type { ProxyHeader } from './proxy-header.ts'

/**
 * Take the proxy's word off a socket and leave the rest in it, also what is TLS already. Resolves with a fault when there is no such word
 * in time; the socket is then of no use. Never rejects.
 */
export const takeProxyHeader = (
  socket: Socket,
  { clock, ms }: { readonly clock: Clock; readonly ms: number },
): Promise<ProxyHeader> =>
  new Promise(resolve => {
    let come = Buffer.alloc(0)
    const done = (header: ProxyHeader): void => {
      cancel()
      socket.off('readable', read)
      socket.off('end', ended)
      socket.off('close', ended)
      if ('length' in header && come.length > header.length) socket.unshift(come.subarray(header.length))
      resolve(header)
    }
    const read = (): void => {
      for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
        come = Buffer.concat([come, chunk])
        const header = readProxyHeader(come)
        if (header !== undefined) return done(header)
      }
    }
    const ended = (): void => done({ fault: 'the end of the connection' })
    const cancel = clock.after(ms, () => done({ fault: 'silence' }))
    socket.on('readable', read)
    socket.once('end', ended)
    socket.once('close', ended)
  })
