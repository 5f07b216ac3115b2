import { Pool, types } from 'pg'
import type { PoolClient, PoolConfig } from 'pg'
import type { Clock } from '@posthorn/contracts'
import { storeError } from '@posthorn/queue-base'
import { classify, DatabaseFault } from './fault.ts'

type Row = Record<string, unknown>

/** One statement, with its values apart; those with a name are planned once for each connection. */
export type Query = <R extends object = Row>(
  text: string,
  values?: readonly unknown[],
  name?: string,
) => Promise<readonly R[]>

/** One connection in a transaction. */
export interface Sql {
  /** Rejects with DatabaseFault. */
  readonly query: Query
  /** Several statements without values. */
  script(text: string): Promise<void>
}

/** The connections to the database. They fail with StoreError, but for what a transaction's own work throws and what is refused. */
export interface Database {
  /** One statement by itself, said again after a lost connection: it must come to the same when it runs twice. */
  readonly read: Query
  /** The same once only; rejects with DatabaseFault. */
  readonly once: Query
  /**
   * `work` in one transaction. It runs again when its connection is lost before the commit, or it met another in a deadlock. When
   * the commit's reply is lost, the server is asked what became of it.
   */
  transaction<T>(work: (sql: Sql, now: number) => Promise<T>): Promise<T>
  /** The same before there are tables. */
  setUp(work: (sql: Sql) => Promise<void>): Promise<void>
  /** Wait before the next try; false when there were enough since that time, monotonic. */
  another(tries: number, since: number): Promise<boolean>
  close(): Promise<void>
}

export interface DatabaseOptions {
  readonly url: string
  readonly password?: string
  readonly schema: string
  readonly clock: Clock
  /** At most so many connections; one more listens. */
  readonly connections: number
}

/** Pauses between tries, in ms: about three seconds in all, in which a server restarts or a standby takes over, or not. */
const pauses = [50, 100, 200, 400, 800, 1500] as const
/** A server that does not even refuse is given up sooner than its tries are, in ms. */
const patience = 10_000

/** All integers of ours fit a number; bytes and text are read as `pg` does. */
const int8 = 20
const getTypeParser = ((oid: number, format?: 'text' | 'binary') =>
  oid === int8 && format !== 'binary' ? Number : types.getTypeParser(oid, format)) as typeof types.getTypeParser

/** What every connection of ours is opened with. A `250` means: flushed, here and on the standbys that the server waits for. */
export const connectionConfig = (o: Omit<DatabaseOptions, 'clock' | 'connections'>): PoolConfig => ({
  connectionString: o.url,
  ...(o.password !== undefined && { password: o.password }),
  application_name: 'posthorn',
  keepAlive: true,
  connectionTimeoutMillis: 5_000,
  query_timeout: 30_000,
  options: `-c search_path="${o.schema}" -c synchronous_commit=on -c jit=off -c statement_timeout=25000 -c idle_in_transaction_session_timeout=20000`,
  types: { getTypeParser },
})

const run = async <R extends object>(
  client: PoolClient,
  text: string,
  values: readonly unknown[] | undefined,
  name: string | undefined,
): Promise<readonly R[]> => {
  try {
    const result = await client.query<R & Row>({
      text,
      ...(values !== undefined && { values: [...values] }),
      ...(name !== undefined && { name }),
    })
    return result.rows
  } catch (error) {
    throw classify(error)
  }
}

const sqlOf = (client: PoolClient): Sql => ({
  query: (text, values, name) => run(client, text, values, name),
  script: async text => {
    await run(client, text, undefined, undefined)
  },
})

interface Begun {
  readonly xid: string
  readonly now: number
}
/*
 * A queue's tables are now empty and now full, and a plan that reads a whole table, made or kept since it was empty, would read all that
 * waits for each group of messages. Everything that is said in a transaction finds its rows by an index.
 */
const byIndexes = ['hashjoin', 'mergejoin', 'seqscan'].map(way => `set local enable_${way} = off`).join('; ')

/** The transaction's number comes with its beginning, so that its outcome can be asked for, and so does the time. */
const begin = async (client: PoolClient, time: 'now_ms()' | '0::bigint'): Promise<Begun> => {
  try {
    const text = `begin; ${byIndexes}; select pg_current_xact_id()::text as xid, ${time} as now`
    const results = (await client.query(text)) as unknown as readonly { readonly rows: readonly Begun[] }[]
    return results.at(-1)?.rows[0] ?? { xid: '', now: 0 }
  } catch (error) {
    throw classify(error)
  }
}

/** What the database refuses is no failure of the store, but a fault in what was said: asking again would not help. */
const failure = (error: unknown): Error =>
  error instanceof DatabaseFault && error.fault !== 'refused'
    ? storeError(`the database: ${error.message}`, { full: error.fault === 'full', cause: error })
    : error instanceof Error
      ? error
      : new Error(String(error))

export const openDatabase = (o: DatabaseOptions): Database => {
  const pool = new Pool({ ...connectionConfig(o), max: o.connections, idleTimeoutMillis: 30_000 })
  // A connection that dies while nobody uses it: the pool has dropped it, and whoever comes next gets another.
  pool.on('error', () => undefined)
  // One that dies in use tells by its query, and by an event, which would end the process if nobody heard it.
  pool.on('connect', client => client.on('error', () => undefined))
  const ending = new AbortController()

  const connect = async (): Promise<PoolClient> => {
    if (ending.signal.aborted) throw storeError('the queue is closed', { full: false })
    try {
      return await pool.connect()
    } catch (error) {
      throw classify(error)
    }
  }
  const using = async <T>(work: (client: PoolClient) => Promise<T>): Promise<T> => {
    const client = await connect()
    try {
      const result = await work(client)
      client.release()
      return result
    } catch (error) {
      client.release(!(error instanceof DatabaseFault) || error.fault === 'lost')
      throw error
    }
  }
  const another = async (tries: number, since: number): Promise<boolean> => {
    const pause = pauses[tries]
    if (pause === undefined || o.clock.monotonic() - since > patience) return false
    return o.clock.sleep(pause, ending.signal).then(
      () => true,
      () => false,
    )
  }
  const persist = async <T>(work: () => Promise<T>): Promise<T> => {
    const since = o.clock.monotonic()
    for (let tries = 0; ; tries++) {
      try {
        return await work()
      } catch (error) {
        const retry = error instanceof DatabaseFault && (error.fault === 'lost' || error.fault === 'again')
        if (!retry || !(await another(tries, since))) throw failure(error)
      }
    }
  }
  const once: Database['once'] = (text, values, name) => using(client => run(client, text, values, name))

  /** Of a transaction whose commit was not answered. `in progress` means that its server has not noticed the loss yet. */
  const committed = async (xid: string): Promise<boolean> => {
    const since = o.clock.monotonic()
    for (let tries = 0; ; tries++) {
      const [row] = await persist(() =>
        once<{ status: string | null }>('select pg_xact_status($1::text::xid8) as status', [xid]),
      )
      if (row?.status !== 'in progress') return row?.status === 'committed'
      if (!(await another(tries, since)))
        throw storeError('the database does not say what became of a transaction', { full: false })
    }
  }
  const attempt = async <T>(
    time: 'now_ms()' | '0::bigint',
    work: (sql: Sql, now: number) => Promise<T>,
  ): Promise<{ readonly done: T } | undefined> => {
    const client = await connect()
    let broken = false
    try {
      const { xid, now } = await begin(client, time)
      const done = await work(sqlOf(client), now)
      try {
        await run(client, 'commit', undefined, undefined)
      } catch (error) {
        broken = true
        if (!(error instanceof DatabaseFault) || error.fault !== 'lost') throw error
        return (await committed(xid)) ? { done } : undefined
      }
      return { done }
    } catch (error) {
      broken ||= error instanceof DatabaseFault && error.fault === 'lost'
      if (!broken)
        broken = await run(client, 'rollback', undefined, undefined).then(
          () => false,
          () => true,
        )
      throw error
    } finally {
      client.release(broken)
    }
  }

  const transact = <T>(time: 'now_ms()' | '0::bigint', work: (sql: Sql, now: number) => Promise<T>): Promise<T> =>
    persist(async () => {
      const result = await attempt(time, work)
      if (result === undefined)
        throw new DatabaseFault('again', new Error('the transaction was lost with its connection'))
      return result.done
    })

  return {
    once,
    another,
    read: (text, values, name) => persist(() => once(text, values, name)) as never,
    transaction: work => transact('now_ms()', work),
    setUp: work => transact('0::bigint', work),
    close: async () => {
      ending.abort(new Error('the queue is closed'))
      await pool.end().catch(() => undefined)
    },
  }
}
