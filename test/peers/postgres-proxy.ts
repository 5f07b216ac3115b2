import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { rmSync } from 'node:fs'
import { join } from 'node:path'

/** Stands between clients and a PostgreSQL server, and can keep a reply to itself. */
export interface PostgresProxy {
  /** Of the database, by way of this. */
  url(database: string): string
  /** The next statement whose bytes hold that text reaches the server; its reply is lost, and the connection with it. */
  loseReplyTo(text: string): void
  /** Cut every connection there is. */
  cut(): void
  /** Cut every connection and take no other, until `back`. */
  away(): void
  /** Take connections again; to another server's socket when one is given, as after a failover. */
  back(server?: string): void
  close(): Promise<void>
}

/** Listens on a socket in `directory`, which must be another than the server's. */
export const startPostgresProxy = async (directory: string, server: string): Promise<PostgresProxy> => {
  const sockets = new Set<Socket>()
  let losing: string | undefined
  let upstreamPath = server
  let refusing = false
  const path = join(directory, '.s.PGSQL.5432')
  const proxy: Server = createServer(client => {
    if (refusing) {
      client.on('error', () => undefined)
      client.destroy()
      return
    }
    const upstream = connect(upstreamPath)
    let lost = false
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', (chunk: Buffer) => {
      if (losing !== undefined && chunk.includes(losing)) {
        losing = undefined
        lost = true
      }
      upstream.write(chunk)
    })
    upstream.on('data', (chunk: Buffer) => {
      // The server has answered, so it has done it.
      if (lost) client.destroy()
      else client.write(chunk)
    })
  })
  await new Promise<void>(resolve => proxy.listen(path, resolve))
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: database => `postgres://postgres@localhost/${database}?host=${directory}`,
    loseReplyTo: text => {
      losing = text
    },
    cut,
    away: () => {
      refusing = true
      cut()
    },
    back: (to = upstreamPath) => {
      upstreamPath = to
      refusing = false
    },
    close: async () => {
      cut()
      await new Promise<void>(resolve => void proxy.close(() => resolve()))
      rmSync(path, { force: true })
    },
  }
}
