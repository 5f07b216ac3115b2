import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import type { Clock, Journal } from '@posthorn/contracts'
import { Connection } from './connection.ts'
import type { ServedQueue } from './methods.ts'
import { checkDirectory, isLeftOver } from './place.ts'

/** Clients at once: processes of one machine. */
const mostConnections = 256

export interface QueueServerOptions {
  /** Of the socket, in a directory that only we can write; nobody else may serve it, which the lock of the state directory sees to. */
  readonly path: string
  /** Stays open when the server closes. */
  readonly queue: ServedQueue
  readonly clock: Clock
  readonly journal?: Journal
}

/** A queue that is served to other processes. */
export interface QueueServer {
  /** Those who share its sites, sorted. */
  readonly members: readonly string[]
  /** Close all connections. Resolves when what they had leased is free. */
  close(): Promise<void>
}

/** Serve a queue on a local socket that only we can open. Rejects when the place is not safe or cannot be listened on. */
export const serveQueue = async (o: QueueServerOptions): Promise<QueueServer> => {
  const house = new House(o)
  await house.listen()
  return house
}

class House implements QueueServer {
  readonly #o: QueueServerOptions
  readonly #server: Server
  readonly #connections = new Set<Connection>()
  /** A name may be there twice for a moment: when its process starts again before the end of the first was noticed. */
  readonly #members = new Map<string, number>()
  #sorted: readonly string[] = []
  #last = 0
  #whenEmpty: (() => void) | undefined
  #unsubscribe = (): void => undefined

  constructor(o: QueueServerOptions) {
    this.#o = o
    // A client that has said all and closes its side closes the connection.
    this.#server = createServer({ allowHalfOpen: false })
    this.#server.maxConnections = mostConnections
    this.#server.on('connection', socket => {
      const connection: Connection = new Connection(socket, {
        queue: o.queue,
        clock: o.clock,
        number: ++this.#last,
        members: () => this.#sorted,
        joined: member => this.#count(member, 1),
        left: member => this.#count(member, -1),
        ended: fault => this.#ended(connection, fault),
      })
      this.#connections.add(connection)
    })
  }

  get members(): readonly string[] {
    return this.#sorted
  }

  async listen(): Promise<void> {
    const { path, queue } = this.#o
    checkDirectory(path)
    if (isLeftOver(path)) rmSync(path)
    await new Promise<void>((done, failed) => {
      this.#server.once('error', failed)
      // Made at once by the call, so that it is never there for others.
      const mask = process.umask(0o177)
      try {
        this.#server.listen(path, done)
      } finally {
        process.umask(mask)
      }
    })
    chmodSync(path, 0o600)
    this.#server.on('error', error => this.#tell(error))
    this.#unsubscribe = queue.onWake(() => {
      for (const connection of this.#connections) connection.wake()
    })
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    const closed = new Promise<void>(done => void this.#server.close(() => done()))
    for (const connection of this.#connections) connection.close()
    if (this.#connections.size > 0) await new Promise<void>(done => (this.#whenEmpty = done))
    await closed
    rmSync(this.#o.path, { force: true })
  }

  #count(member: string, by: number): void {
    const before = this.#members.get(member) ?? 0
    if (before + by > 0) this.#members.set(member, before + by)
    else this.#members.delete(member)
    if (before + by > 1 || before > 1) return
    this.#sorted = [...this.#members.keys()].sort()
    for (const connection of this.#connections) connection.membersChanged()
  }

  #ended(connection: Connection, fault: Error | undefined): void {
    this.#connections.delete(connection)
    if (fault !== undefined) this.#tell(fault)
    if (this.#connections.size === 0) this.#whenEmpty?.()
  }

  #tell(error: Error): void {
    this.#o.journal?.event('error', { where: 'queue socket', why: error.message }, 'warn')
  }
}
