import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { run, until } from './command.ts'

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

/**
 * Make a cluster and start it on a socket of its own. Nothing is skipped that makes a commit durable, unless `fast`. `settings` are
 * as in its configuration, such as `log_lock_waits=on`.
 */
export const startPostgres = async (
  o: { readonly fast?: boolean; readonly settings?: readonly string[] } = {},
): Promise<Postgres> => {
  const bin = programs()
  if (bin === undefined) throw new Error('PostgreSQL is missing; scripts/install-peers installs it')
  const directory = mkdtempSync(join(tmpdir(), 'postgres-'))
  if (process.getuid?.() === 0) {
    const user = await run('id', ['-u', 'postgres'])
    chownSync(directory, Number(user.stdout.trim()), 0)
  }
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
    const settings = [`unix_socket_directories=${directory}`, 'listen_addresses=', ...(o.settings ?? [])]
    if (o.fast === true) settings.push('fsync=off')
    const [file, args] = asServer([join(bin, 'postgres'), '-D', data, ...settings.flatMap(text => ['-c', text])])
    server = spawn(file, [...args], { cwd: '/', stdio: 'ignore' })
    await until('PostgreSQL answers', async () => {
      try {
        await sql(url('postgres'), 'select 1')
        return true
      } catch {
        return undefined
      }
    })
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
    stop: async () => {
      await end('SIGINT')
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
