import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { run, until } from './command.ts'

/** A server that follows another and holds all that the other has answered. */
interface Standby {
  readonly socket: string
  /** Become the primary; resolves when it takes writes. */
  promote(): Promise<void>
  stop(): Promise<void>
}

/** A PostgreSQL server of our own, in a directory that goes with it. */
export interface Postgres {
  /** Of the server, whose descendants do all the work. */
  pid(): number
  /** Where it lives; gone after `stop`. */
  readonly directory: string
  /** Its socket, for those who stand between it and its clients. */
  readonly socket: string
  /** The URL of a database that is made now, empty. */
  database(): Promise<string>
  /** Run SQL as the superuser. */
  sql(url: string, text: string): Promise<readonly Record<string, unknown>[]>
  /** As in a crash of the machine: no checkpoint, no goodbye. */
  kill(): Promise<void>
  start(): Promise<void>
  /** Copy it to another that follows; from now on a commit waits until that one has flushed it too. */
  standby(): Promise<Standby>
  stop(): Promise<void>
}

const root = '/usr/lib/postgresql'
/** Debian keeps the server's programs out of the path, by version; the newest. */
const programs = (): string | undefined =>
  existsSync(root)
    ? readdirSync(root)
        .map(version => join(root, version, 'bin'))
        .filter(bin => existsSync(join(bin, 'initdb')))
        .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
        .at(-1)
    : undefined

export const hasPostgres = (): boolean => programs() !== undefined

/** The server refuses to run as root: it gets the user that Debian made for it. */
const asServer = (command: readonly string[]): readonly [string, readonly string[]] =>
  process.getuid?.() === 0
    ? ['setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', '--', ...command]]
    : [command[0] ?? '', command.slice(1)]

const runAsServer = async (command: readonly string[]): Promise<string> => {
  const [file, args] = asServer(command)
  const result = await run(file, args, { cwd: '/', timeoutMs: 60_000 })
  if (result.code !== 0) throw new Error(`${command.join(' ')}: ${result.stderr}${result.stdout}`)
  return result.stdout
}

const serverUser = async (): Promise<number | undefined> =>
  process.getuid?.() === 0 ? Number((await run('id', ['-u', 'postgres'])).stdout.trim()) : undefined

/** A directory that the server may write. */
const ownDirectory = (user: number | undefined): string => {
  const directory = mkdtempSync(join(tmpdir(), 'postgres-'))
  if (user !== undefined) chownSync(directory, user, 0)
  return directory
}

const launch = (
  bin: string,
  at: { readonly directory: string; readonly data: string; readonly settings: readonly string[] },
): ChildProcess => {
  const settings = [`unix_socket_directories=${at.directory}`, 'listen_addresses=', ...at.settings]
  const [file, args] = asServer([join(bin, 'postgres'), '-D', at.data, ...settings.flatMap(text => ['-c', text])])
  return spawn(file, [...args], { cwd: '/', stdio: 'ignore' })
}

const answers = (url: string, sql: Postgres['sql']): Promise<true> =>
  until('PostgreSQL answers', async () => {
    try {
      await sql(url, 'select 1')
      return true
    } catch {
      return undefined
    }
  })

/**
 * Make a cluster and start it on a socket of its own. Nothing is skipped that makes a commit durable, unless `fast`. `settings` are
 * as in its configuration, such as `log_lock_waits=on`.
 */
export const startPostgres = async (
  o: { readonly fast?: boolean; readonly settings?: readonly string[] } = {},
): Promise<Postgres> => {
  const bin = programs()
  if (bin === undefined) throw new Error('PostgreSQL is missing; scripts/install-peers installs it')
  const directory = ownDirectory(await serverUser())
  const data = join(directory, 'data')
  await runAsServer([
    join(bin, 'initdb'),
    '-D',
    data,
    '-U',
    'postgres',
    '-A',
    'trust',
    '--no-sync',
    '-E',
    'UTF8',
    '--locale=C',
  ])
  const url = (database: string): string => `postgres://postgres@localhost/${database}?host=${directory}`
  let server: ChildProcess | undefined

  const sql = async (at: string, text: string): Promise<readonly Record<string, unknown>[]> => {
    const client = new Client({ connectionString: at, connectionTimeoutMillis: 5_000 })
    client.on('error', () => undefined)
    await client.connect()
    try {
      const result = await client.query<Record<string, unknown>>(text)
      return result.rows
    } finally {
      await client.end()
    }
  }
  const start = async (): Promise<void> => {
    server = launch(bin, {
      directory,
      data,
      settings: [...(o.settings ?? []), ...(o.fast === true ? ['fsync=off'] : [])],
    })
    await answers(url('postgres'), sql)
  }
  const end = async (signal: 'SIGQUIT' | 'SIGINT'): Promise<void> => {
    const child = server
    server = undefined
    if (child === undefined || child.exitCode !== null) return
    const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
    child.kill(signal)
    await ended
  }
  await start()
  let made = 0
  const standby = async (): Promise<Standby> => {
    const beside = ownDirectory(await serverUser())
    const copy = join(beside, 'data')
    await runAsServer([
      join(bin, 'pg_basebackup'),
      '-h',
      directory,
      '-U',
      'postgres',
      '-D',
      copy,
      '-R',
      '-X',
      'stream',
      '--checkpoint=fast',
    ])
    const child = launch(bin, { directory: beside, data: copy, settings: [] })
    const at = url('postgres').replace(directory, beside)
    await answers(at, sql)
    await sql(url('postgres'), `alter system set synchronous_standby_names = '*'`)
    await sql(url('postgres'), 'select pg_reload_conf()')
    await until('a synchronous standby', async () => {
      const rows = await sql(url('postgres'), `select 1 from pg_stat_replication where sync_state = 'sync'`)
      return rows.length > 0 || undefined
    })
    return {
      socket: join(beside, '.s.PGSQL.5432'),
      promote: async () => {
        // The copy was made before the other was told to wait for it, so this one waits for nobody.
        await sql(at, 'select pg_promote(true, 30)')
      },
      stop: async () => {
        const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
        child.kill('SIGINT')
        await ended
        rmSync(beside, { recursive: true, force: true })
      },
    }
  }
  return {
    pid: () => server?.pid ?? 0,
    directory,
    socket: join(directory, '.s.PGSQL.5432'),
    sql,
    database: async () => {
      const name = `mail${++made}`
      await sql(url('postgres'), `create database ${name}`)
      return url(name)
    },
    // SIGQUIT is PostgreSQL's own crash: it ends at once and recovers at its next start.
    kill: () => end('SIGQUIT'),
    start,
    standby,
    stop: async () => {
      await end('SIGINT')
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
