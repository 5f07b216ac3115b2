import { parseArgs } from 'node:util'
import { breakages } from './broken.ts'
import { runSeed } from './run.ts'

const { values: flags } = parseArgs({
  options: {
    seeds: { type: 'string', default: '300' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    broken: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (flags.help) {
  console.log(`npm run test:simulation -- [--seeds N] [--from S] [--json]   on all processors
npm run test:simulation -- --seed S      one seed again, with its log
Whole mail systems in one thread under virtual time, with everything going wrong that a seed says.
--broken ${Object.keys(breakages).join('|')}   with a queue that is broken on purpose`)
  process.exit(0)
}
const whole = (name: string, text: string): number => {
  const n = Number(text)
  if (!Number.isInteger(n) || n < 0) throw new Error(`--${name} takes a whole number; found ${text}`)
  return n
}
const breakage = flags.broken === undefined ? undefined : breakages[flags.broken as keyof typeof breakages]
if (flags.broken !== undefined && breakage === undefined)
  throw new Error(`--broken takes ${Object.keys(breakages).join(', ')}`)

const first = whole(flags.seed === undefined ? 'from' : 'seed', flags.seed ?? flags.from)
const count = flags.seed === undefined ? whole('seeds', flags.seeds) : 1
const began = performance.now()
const total = { accepted: 0, doubled: 0, crashes: 0, days: 0, events: 0 }
const broken: number[] = []
for (let seed = first; seed < first + count; seed++) {
  const run = await runSeed(seed, breakage)
  for (const key of ['accepted', 'doubled', 'crashes', 'days', 'events'] as const) total[key] += run[key]
  if (flags.seed !== undefined) for (const line of run.log) console.log(line)
  if (run.breaches.length === 0) continue
  broken.push(seed)
  if (flags.json) console.log(JSON.stringify({ seed, breaches: run.breaches }))
  else console.log(`seed ${seed} breaks the law:\n  ${run.breaches.join('\n  ')}`)
}
const seconds = (performance.now() - began) / 1000
if (flags.json) console.log(JSON.stringify({ seeds: count, broken, seconds, ...total }))
else
  console.log(
    `${count} seeds in ${seconds.toFixed(1)} s: ${total.accepted} recipients accepted, ${total.doubled} copies doubled within the windows, ` +
      `${total.crashes} crashes, ${total.days.toFixed(0)} days; ${broken.length === 0 ? 'the law holds' : `broken by seeds ${broken.join(' ')}`}`,
  )
process.exitCode = broken.length === 0 ? 0 : 1
