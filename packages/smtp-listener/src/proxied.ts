import { BlockList, isIP, isIPv6, type Socket } from 'node:net'
import type { Clock } from '@posthorn/contracts'
import { readProxyHeader } from './proxy-header.ts'
import type { ProxyHeader } from './proxy-header.ts'

/** Addresses and networks (`192.0.2.1`, `2001:db8::/32`) as something to ask. Throws RangeError for anything else. */
export const networks = (list: readonly string[]): ((ip: string) => boolean) => {
  const all = new BlockList()
  for (const text of list) {
    const [ip = '', bits, ...more] = text.split('/')
    const most = isIPv6(ip) ? 128 : 32
    const prefix = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : -1
    if (isIP(ip) === 0 || prefix < 0 || prefix > most || more.length > 0)
      throw new RangeError(`neither an address nor a network: ${JSON.stringify(text)}`)
    all.addSubnet(ip, prefix, most === 128 ? 'ipv6' : 'ipv4')
  }
  return ip => isIP(ip) !== 0 && all.check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4')
}

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
