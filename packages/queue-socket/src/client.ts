import { connect } from 'node:net'
import type { Clock, Journal, KeyValue, Queue, Share, SiteKey } from '@posthorn/contracts'
import { createWaker, fallsTo, storeError } from '@posthorn/queue-base'
import { checkSocket } from './place.ts'
import { createQueue } from './queue.ts'
import { Session } from './session.ts'

/** Between two tries to reach the owner again, in ms. */
const shortestPause = 50
const longestPause = 2_000

export interface QueueClientOptions {
  /** Of the socket on which the owner of the queue serves it. */
  readonly path: string
  readonly clock: Clock
  readonly journal?: Journal
  /** The name under which this process takes part in the division of sites; it gets all of them when absent. */
  readonly member?: string
}

/** The queue of another process. */
export interface SocketQueue extends Queue {
  /** The table beside the queue, by name-space; shared by all processes. */
  keyValue(namespace: string): KeyValue
  /** Whether deliveries to that site are claimed by this process. */
  mine(site: SiteKey): boolean
}

/**
 * Connect to the owner of a queue. When the connection is lost everything that was asked rejects with StoreError, and so does what is
 * asked until it is there again, which is tried by itself. Rejects when the first try fails.
 */
export const connectQueue = async (o: QueueClientOptions): Promise<SocketQueue> => {
  const client = new Client(o)
  await client.open()
  const queue = createQueue({
    clock: o.clock,
    session: () => client.session(),
    onWake: client.waker.on,
    close: () => client.close(),
  })
  return { ...queue, mine: site => client.mine(site) }
}

class Client {
  readonly waker: ReturnType<typeof createWaker>
  readonly #o: QueueClientOptions
  #session: Session | undefined
  #share: Share | undefined
  #pause = shortestPause
  #cancel = (): void => undefined
  #closing: Promise<void> | undefined

  constructor(o: QueueClientOptions) {
    this.#o = o
    this.waker = createWaker(o.clock)
  }

  /** Throws StoreError while there is none. */
  session(): Session {
    if (this.#closing !== undefined) throw storeError('the queue is closed', { full: false })
    if (this.#session === undefined) throw storeError('the owner of the queue is away', { full: false })
    return this.#session
  }

  mine(site: SiteKey): boolean {
    return this.#share === undefined || fallsTo(site, this.#share)
  }

  /** Resolves when the owner has said hello; rejects with what kept it from that. */
  open(): Promise<void> {
    return new Promise((begun, failed) => {
      checkSocket(this.#o.path)
      const { clock, member } = this.#o
      const session: Session = new Session(connect(this.#o.path), {
        clock,
        member,
        begun: () => {
          if (this.#closing !== undefined) return session.cut()
          this.#session = session
          this.#pause = shortestPause
          begun()
          this.#wake()
        },
        lost: why => {
          failed(why)
          if (this.#session === session) this.#lost(why)
        },
        wake: () => this.#wake(),
        members: members => {
          if (member !== undefined) this.#share = { self: member, members }
          this.#wake()
        },
      })
    })
  }

  close(): Promise<void> {
    this.#cancel()
    const session = this.#session
    return (this.#closing ??= session?.close() ?? Promise.resolve())
  }

  #wake(): void {
    this.waker.ready(this.#o.clock.wall())
  }

  #lost(why: Error): void {
    this.#session = undefined
    if (this.#closing !== undefined) return
    this.#o.journal?.event('error', { where: 'queue socket', why: why.message }, 'error')
    this.#again()
  }

  #again(): void {
    const { clock, journal } = this.#o
    this.#cancel = clock.after(this.#pause, () => {
      this.open().then(
        () => journal?.event('queue.recovered', { why: 'the owner of the queue is there again' }, 'warn'),
        () => {
          if (this.#closing === undefined) this.#again()
        },
      )
    })
    this.#pause = Math.min(longestPause, this.#pause * 2)
  }
}
