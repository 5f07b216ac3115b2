import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

// Seeds are played one after the other in processes that may neither write files nor start anything; this one starts them.
const seeds = fileURLToPath(new URL('./seeds.ts', import.meta.url))
const start = (args: readonly string[], out: 'inherit' | 'pipe') =>
  spawn(process.execPath, ['--permission', '--allow-fs-read=.', '-C', '@posthorn/source', seeds, ...args], {
    stdio: ['ignore', out, 'inherit'],
  })
const codeOf = (child: ReturnType<typeof start>): Promise<number> =>
  new Promise(resolve => child.once('close', code => resolve(code ?? 1)))

const args = process.argv.slice(2)
const { values } = parseArgs({
  args,
  strict: false,
  options: { seeds: { type: 'string' }, from: { type: 'string' }, json: { type: 'boolean' } },
})
const [count, from] = [Number(values.seeds ?? 300), Number(values.from ?? 1)]
const isPlain = args.every(arg => !/^--(?:seed|help|broken)(?:=|$)/.test(arg))
const processes = isPlain && count >= 100 && Number.isInteger(from) ? availableParallelism() : 1
if (processes === 1) process.exit(await codeOf(start(args, 'inherit')))

/** What a process says at its end. */
interface Total {
  readonly seeds: number
  readonly broken: readonly number[]
  readonly accepted: number
  readonly doubled: number
  readonly crashes: number
  readonly days: number
  readonly events: number
}
const began = performance.now()
const totals: Total[] = []
/** The part of one process; a seed that breaks the law is told at once. */
const play = async (first: number, many: number): Promise<number> => {
  const child = start(['--from', String(first), '--seeds', String(many), '--json'], 'pipe')
  const code = codeOf(child)
  if (child.stdout !== null)
    for await (const line of createInterface({ input: child.stdout })) {
      const said = JSON.parse(line) as Total | { readonly seed: number; readonly breaches: readonly string[] }
      if ('seeds' in said) totals.push(said)
      else if (values.json === true) console.log(line)
      else console.log(`seed ${said.seed} breaks the law:\n  ${said.breaches.join('\n  ')}`)
    }
  return code
}
const share = Math.ceil(count / processes)
const codes = await Promise.all(
  Array.from({ length: processes }, (_, i) => play(from + i * share, Math.min(share, count - i * share))),
)
const sum = (of: (total: Total) => number): number => totals.reduce((all, total) => all + of(total), 0)
const seconds = (performance.now() - began) / 1000
const broken = totals.flatMap(total => total.broken).toSorted((a, b) => a - b)
const all = {
  accepted: sum(t => t.accepted),
  doubled: sum(t => t.doubled),
  crashes: sum(t => t.crashes),
  days: sum(t => t.days),
}
if (values.json === true)
  console.log(JSON.stringify({ seeds: count, broken, seconds, ...all, events: sum(t => t.events) }))
else
  console.log(
    `${count} seeds in ${seconds.toFixed(1)} s: ${all.accepted} recipients accepted, ${all.doubled} copies doubled within the windows, ` +
      `${all.crashes} crashes, ${all.days.toFixed(0)} days; ${broken.length === 0 ? 'the law holds' : `broken by seeds ${broken.join(' ')}`}`,
  )
process.exitCode = totals.length < processes ? 1 : Math.max(...codes)
