import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A forwarder in front of a server that keeps what its clients said, which is in clear. */
export interface Recorder {
  readonly port: number
  /** All that was said to the server, connection after connection, as latin1. */
  said(): string
  stop(): Promise<void>
}

/** Start one before a server on loopback. Everything that a client says is kept: for tests. */
export const startRecorder = async (to: number): Promise<Recorder> => {
  const conversations: Buffer[][] = []
  const sockets = new Set<Socket>()
  const server = createServer(client => {
    const said: Buffer[] = []
    conversations.push(said)
    const peer = connect(to, '127.0.0.1')
    for (const [socket, other] of [
      [client, peer],
      [peer, client],
    ] as const) {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket) && other.destroy())
      socket.on('error', () => other.destroy())
    }
    client.on('data', chunk => said.push(chunk))
    client.pipe(peer).pipe(client)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    said: () => conversations.map(said => Buffer.concat(said).toString('latin1')).join(''),
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
