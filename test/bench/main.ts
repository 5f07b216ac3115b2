import { parseArgs } from 'node:util'
import { has, run } from '../peers/command.ts'
import { full, messages, name, plain, warmUp, type Cell } from './cells.ts'
import { keyKinds, makeLogin } from './login.ts'
import { measure, median, type Sample } from './measure.ts'
import { postfixSystem } from './postfix-system.ts'
import { posthornSystem } from './posthorn-system.ts'
import { startSink } from './sink.ts'
import type { System } from './system.ts'

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string' },
    key: { type: 'string', default: 'ecdsa' },
    workers: { type: 'string' },
    'policy-ms': { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
if (flags.help) {
  console.log(`npm run bench -- [--full] [--json] [--rounds N] [--only accept|maildir|relay|large|submission] [--key ecdsa|rsa] [--workers N [--policy-ms MS]]
Posthorn beside a tuned Postfix on this machine, in alternating runs; medians. Needs Debian's postfix, dovecot, python3 and root.
--full      every combination of workload, size, sessions and connections, instead of those with a target
--key       of both certificates: ECDSA P-256, as certbot and Posthorn make them, or RSA-2048, which costs each server more to sign with
--workers   Posthorn with so many workers beside itself in one process, instead of Postfix
--policy-ms with --workers: a plugin that takes so many ms of processor time for each message`)
  process.exit(0)
}
const rounds = Number(flags.rounds)
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 50)
  throw new Error('--rounds takes a whole number from 1 to 50')
const key = keyKinds.find(kind => kind === flags.key)
if (key === undefined) throw new Error(`--key takes ${keyKinds.join(' or ')}`)
const workers = flags.workers === undefined ? undefined : Number(flags.workers)
if (workers !== undefined && (!Number.isInteger(workers) || workers < 2 || workers > 64))
  throw new Error('--workers takes a whole number from 2 to 64')
const policyMs = Number(flags['policy-ms'] ?? 0)
if (!(policyMs >= 0 && policyMs <= 1000) || (policyMs > 0 && workers === undefined))
  throw new Error('--policy-ms takes a number from 0 to 1000, with --workers')
for (const program of ['smtp-source', 'smtp-sink', 'postfix', 'dovecot', 'openssl', '/usr/bin/python3'])
  if (!has(program)) throw new Error(`${program} is missing: scripts/install-peers installs what the bench needs`)

const say = (text: string): void => void (flags.json ? process.stderr.write(`${text}\n`) : console.log(text))
const cells = (flags.full ? full : plain).filter(c => flags.only === undefined || c.work === flags.only)
const fs = (await run('df', ['--output=fstype', '/tmp'])).stdout.trim().split('\n').at(-1) ?? '?'
say(`${cells.length} cells, ${rounds} alternating runs each after one to warm up; /tmp is ${fs}`)

/** How long a run should take. */
const runSeconds = flags.full ? 1.5 : 2.5

const sink = await startSink()
const login = await makeLogin(key)
/** The first is what the second is held against. */
const systems =
  workers === undefined
    ? ([await postfixSystem(sink.port, login), await posthornSystem(sink.port, login)] as const)
    : ([
        await posthornSystem(sink.port, login, { policyMs }),
        await posthornSystem(sink.port, login, { workers, policyMs }),
      ] as const)
const [theirs, ours] = systems
const results: object[] = []
try {
  for (const cell of cells) {
    const samples = new Map<string, Sample[]>(systems.map(system => [system.name, []]))
    const counts: Record<string, number> = {}
    /** MiB before anything of the cell was sent. */
    const idles: Record<string, number> = {}
    for (const system of systems) {
      const { perSecond, idle } = await measure(system, { cell, count: warmUp(cell), login }, sink)
      counts[system.name] = messages(cell, perSecond, runSeconds)
      idles[system.name] = idle
    }
    for (let round = 0; round < rounds; round++)
      for (const system of systems)
        samples.get(system.name)?.push({
          ...(await measure(system, { cell, count: counts[system.name] ?? 0, login }, sink)),
          idle: idles[system.name] ?? 0,
        })
    results.push(report(cell, samples))
  }
} finally {
  for (const system of systems) await system.stop()
  sink.stop()
  login.remove()
}
if (flags.json) console.log(JSON.stringify({ filesystem: fs, rounds, key, cells: results }, undefined, 2))

function report(cell: Cell, samples: ReadonlyMap<string, readonly Sample[]>): object {
  const of = ({ name: system }: System): Sample => {
    const runs = samples.get(system) ?? []
    return {
      perSecond: median(runs.map(s => s.perSecond)),
      cpu: median(runs.map(s => s.cpu)),
      memory: Math.max(...runs.map(s => s.memory)),
      idle: Math.min(...runs.map(s => s.idle)),
    }
  }
  const [our, their] = [of(ours), of(theirs)]
  const ratio = { rate: our.perSecond / their.perSecond, cpu: our.cpu / their.cpu }
  const target =
    cell.target === undefined || workers !== undefined
      ? ''
      : `  (target ${cell.target}: ${ratio.rate >= cell.target ? '' : 'NOT '}reached)`
  const grown = (s: Sample): number => Math.round(s.memory - s.idle)
  const memory =
    cell.mostMemory === undefined
      ? ''
      : `\n  memory     +${grown(our)} MiB, ${theirs.name} +${grown(their)}  (target ${cell.mostMemory}: ${grown(our) <= cell.mostMemory ? '' : 'NOT '}reached)`
  const line = ({ name: system }: System, s: Sample): string =>
    `  ${system.padEnd(10)} ${s.perSecond.toFixed(s.perSecond < 100 ? 1 : 0).padStart(6)}/s  ${s.cpu.toFixed(2)} CPU s per 1,000  ${s.memory.toFixed(0)} MiB\n`
  say(
    `${name(cell)}\n${line(ours, our)}${line(theirs, their)}` +
      `  ratio      ${ratio.rate.toFixed(2)} × the rate, ${ratio.cpu.toFixed(2)} × the CPU${target}${memory}`,
  )
  return { ...cell, [ours.name]: our, [theirs.name]: their, ratio }
}
