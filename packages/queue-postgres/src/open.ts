import type { Clock, Journal, Random } from '@posthorn/contracts'
import { createIds } from '@posthorn/queue-base'
import { connectionConfig, openDatabase } from './database.ts'
import type { Database } from './database.ts'
import { nextDue } from './due.ts'
import { channelOf, listen } from './listen.ts'
import { createOwners, endNode } from './owners.ts'
import type { Owners } from './owners.ts'
import { createQueue } from './queue.ts'
import type { PostgresQueue } from './queue.ts'
import { prepareSchema } from './schema.ts'
import { sweep } from './sweep.ts'
import { createTime } from './time.ts'

export interface PostgresOptions {
  /** `postgres://user@host/database`, as libpq reads it. */
  readonly url: string
  /** Instead of one in the URL. */
  readonly password?: string
  /** The schema of the tables, made when it is not there; `posthorn` when absent. */
  readonly schema?: string
  readonly clock: Clock
  readonly random: Random
  readonly journal?: Journal
  /**
   * The name of this node, kept over restarts and used by one process at a time: what was leased to its earlier life is free at once.
   * One that nobody else has when absent.
   */
  readonly node?: string
  /** After so long without a sign of life, in ms, the others take over what a node had leased; 75 s when absent. Longer than any lease. */
  readonly takeoverMs?: number
  /** Connections for the work; one more listens. 10 when absent. */
  readonly connections?: number
  /** Octets of content up to which a message is one row; 65536 when absent. */
  readonly bodyInline?: number
  /** How long a message's history is kept after it left, in ms; a week when absent. */
  readonly keepMs?: number
}

const sweepEvery = 60_000
const sweepAgain = 500
/** Between two words to the other nodes, in ms: they wake up, and look for themselves. */
const notifyEvery = 100

/**
 * Open the queue of a PostgreSQL database, making its tables when they are not there.
 * Rejects with StoreError when the database can't be reached, and with an Error that says what to do when the tables are not ours.
 */
export const openPostgresQueue = async (o: PostgresOptions): Promise<PostgresQueue> => {
  const { clock, journal, schema = 'posthorn', takeoverMs = 75_000 } = o
  if (!/^[a-z_][a-z0-9_]{0,40}$/.test(schema)) throw new RangeError(`${JSON.stringify(schema)} is no name for a schema`)
  const ids = createIds(clock, o.random)
  const node = o.node ?? Buffer.from(o.random.bytes(12)).toString('hex')
  const connection = { url: o.url, schema, ...(o.password !== undefined && { password: o.password }) }
  const db = openDatabase({ ...connection, clock, connections: o.connections ?? 10 })
  try {
    await db.setUp(sql => prepareSchema(sql, schema))
    await endNode(db, node)
  } catch (error) {
    await db.close()
    throw error
  }
  const time = createTime(clock)
  const owners = createOwners(db, { clock, time, node, lifeMs: takeoverMs })
  const notify = createNotify(db, { clock, channel: channelOf(schema), self: node })
  const { queue, wake } = createQueue({
    db,
    ids,
    clock,
    time,
    journal,
    owners,
    bodyInline: o.bodyInline ?? 65_536,
    notify: notify.now,
    beforeClose: async () => {
      await Promise.all([life.stop(), ears.close(), notify.settled()])
    },
  })
  const keepMs = o.keepMs ?? 7 * 86_400_000
  const life = keepAlive({ db, owners, clock, journal, wake, beatMs: takeoverMs / 6, keepMs })
  const ears = listen(connectionConfig(connection), { schema, self: node, clock, heard: wake })
  return queue
}

/** Two timers: the heart, and the broom. Each waits for its work before it is set again. */
const keepAlive = (o: {
  readonly db: Database
  readonly owners: Owners
  readonly clock: Clock
  readonly journal: Journal | undefined
  readonly wake: () => void
  readonly beatMs: number
  readonly keepMs: number
}): { stop(): Promise<void> } => {
  let stopped = false
  const running = new Map<string, Promise<void>>()
  const cancels = new Map<string, () => void>()
  const every = (name: string, firstMs: number, run: () => Promise<number>): void => {
    const turn = async (): Promise<void> => {
      let next = firstMs
      try {
        next = await run()
      } catch (error) {
        o.journal?.event('error', { where: `queue ${name}`, why: String(error) }, 'error')
      }
      running.delete(name)
      if (!stopped) every(name, next, run)
    }
    cancels.set(
      name,
      o.clock.after(firstMs, () => void running.set(name, turn())),
    )
  }
  every('heartbeat', o.beatMs, async () => {
    if (!(await o.owners.beat())) return o.beatMs
    // What another node left behind tells nobody: those who live look.
    const { now, at } = await nextDue(o.db)
    if (at !== undefined && at <= now) o.wake()
    return o.beatMs
  })
  every('sweep', sweepEvery, async () => ((await sweep(o.db, o.keepMs)) ? sweepAgain : sweepEvery))
  return {
    stop: async () => {
      stopped = true
      for (const cancel of cancels.values()) cancel()
      await Promise.all(running.values())
    },
  }
}

/** Says it at once, then not again for a while, then once more if need be. */
const createNotify = (
  db: Database,
  o: { readonly clock: Clock; readonly channel: string; readonly self: string },
): { readonly now: () => void; readonly settled: () => Promise<void> } => {
  let last = -Infinity
  let waiting = false
  let saying: Promise<void> = Promise.resolve()
  const say = (): void => {
    waiting = false
    last = o.clock.monotonic()
    // A courtesy: whoever misses it polls.
    saying = db.once('select pg_notify($1, $2)', [o.channel, o.self], 'notify').then(
      () => undefined,
      () => undefined,
    )
  }
  return {
    now: () => {
      if (waiting) return
      const wait = last + notifyEvery - o.clock.monotonic()
      if (wait <= 0) return say()
      waiting = true
      o.clock.after(wait, say)
    },
    settled: () => saying,
  }
}
