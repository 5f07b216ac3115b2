import { createServer, connect } from 'node:net'
import { until } from './command.ts'

/** A TCP port of loopback that nothing listens on just now. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })

const open = (port: number): Promise<true | undefined> =>
  new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => (socket.destroy(), resolve(true)))
    socket.once('error', () => resolve(undefined))
  })

/** Wait until something accepts connections there. */
export const listening = async (port: number, timeoutMs = 15_000): Promise<void> => {
  await until(`a server on port ${port}`, () => open(port), timeoutMs)
}
