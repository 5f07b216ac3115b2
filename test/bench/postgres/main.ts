import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { has, run, until } from '../../peers/command.ts'
import { hasPostgres, startPostgres } from '../../peers/postgres.ts'
import type { Postgres } from '../../peers/postgres.ts'
import { startPosthorn } from '../../peers/posthorn.ts'
import type { Running } from '../../peers/posthorn.ts'
import { cpuOf } from '../../peers/usage.ts'
import { startSink } from '../sink.ts'
import type { Sink } from '../sink.ts'
import {
  countersOf,
  forgetStatements,
  prepareStatements,
  settings,
  since,
  statementsOf,
  watchWaits,
} from './database.ts'
import type { Counters, Statement, Waits } from './database.ts'

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '10' },
    nodes: { type: 'string', default: '1,3' },
    statements: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (flags.help) {
  console.log(`npm run bench:postgres -- [--json] [--seconds N] [--nodes 1,3] [--statements]
Nodes of the real server over one PostgreSQL of the bench's own: what they take in and relay, and what that costs the database.
Needs Debian's postgresql and postfix (smtp-source, smtp-sink).
--seconds     that a run is to take, 3 to 30
--statements  every kind of statement of each run, with its share`)
  process.exit(0)
}
const seconds = Number(flags.seconds)
if (!Number.isInteger(seconds) || seconds < 3 || seconds > 30)
  throw new Error('--seconds takes a whole number from 3 to 30')
const counts = flags.nodes.split(',').map(Number)
if (counts.some(n => !Number.isInteger(n) || n < 1 || n > 5))
  throw new Error('--nodes takes numbers from 1 to 5, as 1,3')
if (!hasPostgres()) throw new Error('PostgreSQL is missing: scripts/install-peers installs it')
for (const program of ['smtp-source', 'smtp-sink'])
  if (!has(program)) throw new Error(`${program} is missing: scripts/install-peers installs it`)

type Work = 'accept' | 'relay'
/** Sessions of all nodes together, so that one node and three have the same load. */
const sessions = 30
const kib = 1

interface Result {
  readonly work: Work
  readonly nodes: number
  readonly messages: number
  readonly perSecond: number
  /** Seconds per 1,000 messages. */
  readonly cpu: { readonly database: number; readonly nodes: number }
  readonly counters: Counters
  readonly calls: number
  readonly waits: Waits
  readonly kinds: Readonly<Record<string, number>>
  readonly statements: readonly Statement[]
}

const source = (path: string): string =>
  JSON.stringify(fileURLToPath(new URL(`../../../packages/${path}/src/index.ts`, import.meta.url)))

const configuration = (url: string, work: Work, sinkPort: number): string => `
import { defineConfig } from ${source('stack')}
import { definePlugin } from ${source('plugin')}
const hold = definePlugin({ name: 'bench-hold', setup: () => ({ message: () => ({ hold: 'bench' }) }) })
export default defineConfig({
  hostname: 'posthorn.test',
  listeners: { mx: { host: '127.0.0.1', port: 0 }, submission: false, submissions: false },
  domains: ['bench.test'], mailboxes: ['bob@bench.test'], trusted: ['127.0.0.0/8'],
  limits: { connectionsPerAddress: 1000 },
  log: { level: 'warn', format: 'json' },
  queue: { postgres: { url: ${JSON.stringify(url)} } },
  outbound: { smarthost: { host: '127.0.0.1', port: ${sinkPort}, tls: 'never' } },
  plugins: [${work === 'accept' ? 'hold' : ''}],
})
`

const startNodes = async (directory: string, text: string, count: number): Promise<readonly Running[]> => {
  const nodes: Running[] = []
  for (let i = 0; i < count; i++) {
    const at = mkdtempSync(join(directory, 'node-'))
    const config = join(at, 'posthorn.config.ts')
    writeFileSync(config, text)
    nodes.push(await startPosthorn(['start', '--json', '--config', config, '--state', join(at, 'var')]))
  }
  return nodes
}

/** So many messages, shared by the nodes; resolves when the last is taken in, and relayed where that is asked. */
const load = async (nodes: readonly Running[], work: Work, messages: number, sink: Sink): Promise<number> => {
  const sunk = sink.count()
  const share = Math.ceil(messages / nodes.length)
  const begin = performance.now()
  const to = work === 'accept' ? 'bob@bench.test' : 'bob@elsewhere.test'
  const args = ['-d', '-s', String(Math.ceil(sessions / nodes.length)), '-l', String(kib * 1024), '-f', 'ann@load.test']
  const sent = await Promise.all(
    nodes.map(node =>
      run('/usr/sbin/smtp-source', [...args, '-m', String(share), '-t', to, `127.0.0.1:${node.port('mx')}`], {
        timeoutMs: 60_000,
      }),
    ),
  )
  for (const { code, stderr } of sent) if (code !== 0) throw new Error(`smtp-source failed: ${stderr.slice(0, 500)}`)
  if (work === 'relay')
    await until('the last message at the sink', () => sink.count() - sunk >= share * nodes.length || undefined, 60_000)
  return (performance.now() - begin) / 1000
}

const measure = async (
  { server, sink, directory }: { readonly server: Postgres; readonly sink: Sink; readonly directory: string },
  work: Work,
  count: number,
): Promise<Result> => {
  const url = await server.database()
  await prepareStatements(server, url)
  const nodes = await startNodes(directory, configuration(url, work, sink.port), count)
  try {
    const warmUp = 600
    const warm = await load(nodes, work, warmUp, sink)
    const messages = Math.ceil(Math.min(50_000, (warmUp / warm) * seconds) / count) * count
    const before = await countersOf(server, url)
    await forgetStatements(server, url)
    const cpuBefore = nodes.reduce((sum, node) => sum + cpuOf(node.pid), 0)
    const watch = await watchWaits(server, url)
    const took = await load(nodes, work, messages, sink)
    const waits = await watch.stop()
    const cpuNodes = nodes.reduce((sum, node) => sum + cpuOf(node.pid), 0) - cpuBefore
    // What is said while they stop is not what mail costs.
    const statements = await statementsOf(server, url)
    for (const node of nodes) await node.stop()
    const counters = since(before, await countersOf(server, url))
    return {
      work,
      nodes: count,
      messages,
      perSecond: messages / took,
      cpu: { database: (counters.cpu / messages) * 1000, nodes: (cpuNodes / messages) * 1000 },
      counters,
      calls: statements.reduce((sum, s) => sum + s.calls, 0),
      waits,
      kinds: Object.fromEntries([...watch.kinds].sort((a, b) => b[1] - a[1])),
      statements,
    }
  } finally {
    for (const node of nodes) await node.kill().catch(() => undefined)
  }
}

const table = (results: readonly Result[]): readonly string[] => [
  '| workload | nodes | messages/s | database CPU s per 1,000 | nodes’ CPU s per 1,000 | statements a message | commits a message | rows inserted, updated, deleted a message | WAL KiB a message | sessions seen waiting for a lock | waits over 100 ms | deadlocks |',
  '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
  ...results.map(({ work, nodes, messages, perSecond, cpu, counters: c, calls, waits }) => {
    const each = (n: number, digits = 2): string => (n / messages).toFixed(digits)
    const cells = [
      work === 'accept' ? 'take in' : 'take in and relay',
      nodes,
      Math.round(perSecond),
      cpu.database.toFixed(2),
      cpu.nodes.toFixed(2),
      each(calls),
      each(c.commits),
      [c.inserted, c.updated, c.deleted].map(n => each(n, 1)).join(', '),
      each(c.wal / 1024, 1),
      `${waits.lock} in ${waits.looks} looks`,
      waits.long,
      c.deadlocks,
    ]
    return `| ${cells.join(' | ')} |`
  }),
]

const directory = mkdtempSync(join(tmpdir(), 'posthorn-bench-'))
const server = await startPostgres({ settings })
const sink = await startSink()
const results: Result[] = []
try {
  for (const work of ['accept', 'relay'] as const)
    for (const count of counts) results.push(await measure({ server, sink, directory }, work, count))
} finally {
  sink.stop()
  await server.stop()
  rmSync(directory, { recursive: true, force: true })
}
if (flags.json) console.log(JSON.stringify({ seconds, sessions, kib, results }, undefined, 2))
else {
  for (const line of table(results)) console.log(line)
  if (flags.statements)
    for (const { work, nodes, messages, statements, kinds } of results) {
      console.log(`\n${work}, ${nodes} nodes; waits seen: ${JSON.stringify(kinds)}`)
      for (const { text, calls, rows, ms } of statements.slice(0, 14))
        console.log(
          `${(calls / messages).toFixed(3)} calls, ${(rows / messages).toFixed(2)} rows, ${((ms / messages) * 1000).toFixed(0)} µs a message: ${text.slice(0, 110)}`,
        )
    }
}
