import { parseArgs } from 'node:util'
import { has, run } from '../peers/command.ts'
import { full, messages, name, plain, warmUp, type Cell } from './cells.ts'
import { measure, median, type Sample } from './measure.ts'
import { postfixSystem } from './postfix-system.ts'
import { posthornSystem } from './posthorn-system.ts'
import { startSink } from './sink.ts'

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
if (flags.help) {
  console.log(`npm run bench -- [--full] [--json] [--rounds N] [--only accept|maildir|relay]
Posthorn beside a tuned Postfix on this machine, in alternating runs; medians. Needs Debian's postfix and root.
--full    every combination of workload, size, sessions and connections, instead of the five with a target`)
  process.exit(0)
}
const rounds = Number(flags.rounds)
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 50)
  throw new Error('--rounds takes a whole number from 1 to 50')
for (const program of ['smtp-source', 'smtp-sink', 'postfix'])
  if (!has(program)) throw new Error(`${program} is missing: scripts/install-peers installs what the bench needs`)

const say = (text: string): void => void (flags.json ? process.stderr.write(`${text}\n`) : console.log(text))
const cells = (flags.full ? full : plain).filter(c => flags.only === undefined || c.work === flags.only)
const fs = (await run('df', ['--output=fstype', '/tmp'])).stdout.trim().split('\n').at(-1) ?? '?'
say(`${cells.length} cells, ${rounds} alternating runs each after one to warm up; /tmp is ${fs}`)

/** How long a run should take. */
const runSeconds = flags.full ? 1.5 : 2.5

const sink = await startSink()
const systems = [await postfixSystem(sink.port), await posthornSystem(sink.port)]
const results: object[] = []
try {
  for (const cell of cells) {
    const samples: Record<string, Sample[]> = { postfix: [], posthorn: [] }
    const counts: Record<string, number> = {}
    for (const system of systems) {
      const { perSecond } = await measure(system, { cell, count: warmUp(cell) }, sink)
      counts[system.name] = messages(cell, perSecond, runSeconds)
    }
    for (let round = 0; round < rounds; round++)
      for (const system of systems)
        samples[system.name]?.push(await measure(system, { cell, count: counts[system.name] ?? 0 }, sink))
    results.push(report(cell, samples['posthorn'] ?? [], samples['postfix'] ?? []))
  }
} finally {
  for (const system of systems) await system.stop()
  sink.stop()
}
if (flags.json) console.log(JSON.stringify({ filesystem: fs, rounds, cells: results }, undefined, 2))

function report(cell: Cell, ours: readonly Sample[], theirs: readonly Sample[]): object {
  const of = (samples: readonly Sample[]): Sample => ({
    perSecond: median(samples.map(s => s.perSecond)),
    cpu: median(samples.map(s => s.cpu)),
    memory: Math.max(...samples.map(s => s.memory)),
  })
  const posthorn = of(ours)
  const postfix = of(theirs)
  const ratio = { rate: posthorn.perSecond / postfix.perSecond, cpu: posthorn.cpu / postfix.cpu }
  const target =
    cell.target === undefined
      ? ''
      : ratio.rate >= cell.target
        ? `  (target ${cell.target}: reached)`
        : `  (target ${cell.target}: NOT reached)`
  say(
    `${name(cell)}\n` +
      `  posthorn ${posthorn.perSecond.toFixed(0).padStart(6)}/s  ${posthorn.cpu.toFixed(2)} CPU s per 1,000  ${posthorn.memory.toFixed(0)} MiB\n` +
      `  postfix  ${postfix.perSecond.toFixed(0).padStart(6)}/s  ${postfix.cpu.toFixed(2)} CPU s per 1,000  ${postfix.memory.toFixed(0)} MiB\n` +
      `  ratio    ${ratio.rate.toFixed(2)} × the rate, ${ratio.cpu.toFixed(2)} × the CPU${target}`,
  )
  return { ...cell, posthorn, postfix, ratio }
}
