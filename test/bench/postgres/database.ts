import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import type { Postgres } from '../../peers/postgres.ts'
import { cpuOf } from '../../peers/usage.ts'

/** Loaded into the server so that it counts statements; Debian has it in the server's own package. */
export const settings: readonly string[] = [
  'shared_preload_libraries=pg_stat_statements',
  'pg_stat_statements.track=top',
  'track_io_timing=on',
  'max_connections=200',
  'logging_collector=on',
  'log_directory=log',
  'log_lock_waits=on',
  // Whoever waits longer for a lock is in the log.
  'deadlock_timeout=100ms',
]

/** What the server has done for one database, since it was made. */
export interface Counters {
  readonly commits: number
  readonly rollbacks: number
  readonly inserted: number
  readonly updated: number
  /** Of those, the ones that needed no new index entries. */
  readonly hot: number
  readonly deleted: number
  readonly deadlocks: number
  /** Octets of the log that makes commits durable. */
  readonly wal: number
  /** Seconds of processor, of the server and all its processes. */
  readonly cpu: number
}

/** One kind of statement. */
export interface Statement {
  readonly text: string
  readonly calls: number
  readonly rows: number
  /** In the server, ms. */
  readonly ms: number
}

const numbers = async (server: Postgres, url: string, sql: string): Promise<Readonly<Record<string, number>>> => {
  const [row] = await server.sql(url, sql)
  return Object.fromEntries(Object.entries(row ?? {}).map(([key, value]) => [key, Number(value)]))
}

/** Counters are complete only when the sessions that did the work are closed. */
export const countersOf = async (server: Postgres, url: string): Promise<Counters> => {
  const row = await numbers(
    server,
    url,
    `select d.xact_commit as commits, d.xact_rollback as rollbacks, d.deadlocks, pg_current_wal_lsn() - '0/0' as wal,
       coalesce(t.inserted, 0) as inserted, coalesce(t.updated, 0) as updated, coalesce(t.hot, 0) as hot,
       coalesce(t.deleted, 0) as deleted
     from pg_stat_database d, (select sum(n_tup_ins) as inserted, sum(n_tup_upd) as updated, sum(n_tup_hot_upd) as hot,
       sum(n_tup_del) as deleted from pg_stat_user_tables) t where d.datname = current_database()`,
  )
  return { ...(row as unknown as Omit<Counters, 'cpu'>), cpu: cpuOf(server.pid()) }
}

export const since = (before: Counters, after: Counters): Counters =>
  Object.fromEntries(Object.entries(after).map(([k, v]) => [k, v - before[k as keyof Counters]])) as unknown as Counters

export const prepareStatements = async (server: Postgres, url: string): Promise<void> => {
  await server.sql(url, 'create extension if not exists pg_stat_statements')
}
export const forgetStatements = async (server: Postgres, url: string): Promise<void> => {
  await server.sql(url, 'select pg_stat_statements_reset()')
}
/** What was said to this database since they were forgotten, the costliest first. */
export const statementsOf = async (server: Postgres, url: string): Promise<readonly Statement[]> => {
  const rows = await server.sql(
    url,
    `select query as text, calls, rows, total_exec_time as ms from pg_stat_statements s
     join pg_database d on d.oid = s.dbid where d.datname = current_database() and query not like '%pg_stat_%'
     order by total_exec_time desc`,
  )
  return rows.map(row => ({
    text: String(row['text']).replaceAll(/\s+/g, ' ').trim(),
    calls: Number(row['calls']),
    rows: Number(row['rows']),
    ms: Number(row['ms']),
  }))
}

/** What sessions were seen waiting for. */
export interface Waits {
  /** Looks that found a session at work. */
  readonly looks: number
  /** Sessions seen waiting for another's lock, and for the disk or the log, in all looks together. */
  readonly lock: number
  readonly disk: number
  /** Waits for a lock that took over 100 ms, from the server's log. */
  readonly long: number
}

const longWaits = (server: Postgres): number => {
  const directory = join(server.directory, 'data', 'log')
  return readdirSync(directory)
    .map(name => readFileSync(join(directory, name), 'utf8').split('still waiting for').length - 1)
    .reduce((a, b) => a + b, 0)
}

const lookEveryMs = 20

/** Look again and again at what sessions of a database wait for. */
export const watchWaits = async (
  server: Postgres,
  url: string,
): Promise<{ readonly stop: () => Promise<Waits>; readonly kinds: ReadonlyMap<string, number> }> => {
  const client = new Client({ connectionString: url })
  await client.connect()
  const kinds = new Map<string, number>()
  const seen = { looks: 0, lock: 0, disk: 0 }
  const watch = { going: true }
  const before = longWaits(server)

  const look = async (): Promise<void> => {
    while (watch.going) {
      const { rows } = await client.query<{ type: string | null; event: string | null }>(
        `select wait_event_type as type, wait_event as event from pg_stat_activity
         where datname = current_database() and state = 'active' and pid <> pg_backend_pid()`,
      )
      if (rows.length > 0) seen.looks++
      for (const { type, event } of rows) {
        if (type === 'Lock') seen.lock++
        if (type === 'IO' || (type === 'LWLock' && event?.startsWith('WAL') === true)) seen.disk++
        if (type !== null && type !== 'Client') kinds.set(`${type}:${event}`, (kinds.get(`${type}:${event}`) ?? 0) + 1)
      }
      await new Promise(resolve => setTimeout(resolve, lookEveryMs))
    }
  }
  const looking = look()
  return {
    kinds,
    stop: async () => {
      watch.going = false
      await looking
      await client.end()
      return { ...seen, long: longWaits(server) - before }
    },
  }
}
