import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Journal } from '@posthorn/contracts'
import { openQueue, type EmbeddedQueue } from '@posthorn/queue'
import { connectQueue, serveQueue, type QueueServer, type ServedQueue, type SocketQueue } from '@posthorn/queue-socket'
import { manualClock, seededRandom } from '@posthorn/testkit'
import type { ManualClock } from '@posthorn/testkit'
import { afterEach } from 'vitest'

const cleaners: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleaners.splice(0)) await clean()
})

/** Done after the test, the last first. */
export const afterTest = (clean: () => unknown): void => void cleaners.unshift(clean)

type Events = { readonly name: string; readonly fields: { readonly [k: string]: unknown } }[]
const journalOf = (events: Events): Journal => ({
  event: (name, fields) => {
    // Fields without a value are left out of a line, too.
    events.push({ name, fields: JSON.parse(JSON.stringify(fields)) as { readonly [k: string]: unknown } })
  },
  child: () => journalOf(events),
})

/** A process that owns a queue, and its socket. */
export interface Owner {
  readonly path: string
  readonly clock: ManualClock
  /** What the queue and its server told. */
  readonly events: Events
  readonly queue: EmbeddedQueue
  readonly server: QueueServer
  /** Another process. */
  connect(member?: string): Promise<SocketQueue>
  /** As when the process is killed and starts again, on the same files. */
  restart(): Promise<void>
}

/** An SQLite queue that is served on a socket; `wrap` puts something between the two. */
export const owner = async (wrap: (queue: EmbeddedQueue) => ServedQueue = queue => queue): Promise<Owner> => {
  const directory = mkdtempSync(join(tmpdir(), 'queue-socket-'))
  afterTest(() => rmSync(directory, { recursive: true }))
  const clock = manualClock()
  const random = seededRandom(1)
  const events: Events = []
  const journal = journalOf(events)
  const path = join(directory, 'queue.sock')
  const open = async () => {
    const queue = await openQueue({ directory, clock, random, journal, sync: false, floorBytes: 0 })
    const server = await serveQueue({ path, queue: wrap(queue), clock, journal })
    return { queue, server }
  }
  let opened = await open()
  const close = async (): Promise<void> => {
    await opened.server.close()
    await opened.queue.close()
  }
  afterTest(close)
  return {
    path,
    clock,
    events,
    get queue() {
      return opened.queue
    },
    get server() {
      return opened.server
    },
    connect: async member => {
      const queue = await connectQueue({ path, clock, journal, ...(member !== undefined && { member }) })
      afterTest(() => queue.close())
      return queue
    },
    restart: async () => {
      await close()
      opened = await open()
    },
  }
}
