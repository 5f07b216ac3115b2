import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A forwarder for clients that do not introduce themselves before STARTTLS. */
export interface Greeted {
  readonly port: number
  stop(): Promise<void>
}

/** The rest of what a server says up to the end of its next reply. */
const reply = (server: Socket): Promise<string> =>
  new Promise((resolve, reject) => {
    let said = ''
    server.once('close', () => reject(new Error('the server closed')))
    const more = (chunk: Buffer): void => {
      said += chunk.toString('latin1')
      if (!/^\d{3} .*\r\n$/m.test(said)) return
      server.off('data', more)
      resolve(said)
    }
    server.on('data', more)
  })

/**
 * Start one before a server on loopback: it says EHLO for the client and from then on changes nothing, so that TLS is between client and
 * server.
 */
export const startGreeted = async (to: number): Promise<Greeted> => {
  const sockets = new Set<Socket>()
  const server = createServer(client => {
    const peer = connect(to, '127.0.0.1')
    for (const socket of [client, peer]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.once('close', () => {
        sockets.delete(socket)
        client.destroy()
        peer.destroy()
      })
    }
    const greet = async (): Promise<void> => {
      const banner = await reply(peer)
      peer.write('EHLO client.test\r\n')
      await reply(peer)
      client.write(banner)
      client.pipe(peer).pipe(client)
    }
    void greet().catch(() => client.destroy())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
