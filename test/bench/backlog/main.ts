// What a million waiting messages cost the mail of today: `npm run bench:backlog [-- directory [messages]]`. Takes 3 GB of disk
// and a few minutes. It builds a backlog over many sites, half of it for one dead site, and measures, beside an empty queue.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from './build.ts'
import { compared, median, say } from './report.ts'
import { measureServer } from './server.ts'
import { measureRate, measureStore } from './store.ts'

const steps = {
  build: (directory: string, count: string) => build(directory, Number(count)),
  rate: async (directory: string) => console.log(await measureRate(directory)),
  store: (directory: string, empty: string) => measureStore(directory, Number(empty)),
  server: (directory: string) => measureServer(directory),
} as const

/** In a process of its own, whose memory is that of a server and not of the builder. */
const run = (step: keyof typeof steps, ...args: readonly string[]): string => {
  const ran = spawnSync(process.execPath, ['-C', '@posthorn/source', import.meta.filename, step, ...args], {
    stdio: ['ignore', step === 'rate' ? 'pipe' : 'inherit', 'inherit'],
    encoding: 'utf8',
  })
  if (ran.status !== 0) throw new Error(`the step ${step} ended with ${ran.status}`)
  return ran.stdout
}

const all = (where: string, count: string): void => {
  const made = mkdtempSync(join(where, 'queue-backlog-'))
  const [full, empty] = [join(made, 'full'), join(made, 'empty')]
  try {
    run('build', full, count)
    // In turns, since the machine may have other things to do.
    const rates = Array.from({ length: 3 }, () => [Number(run('rate', empty)), Number(run('rate', full))] as const)
    const [alone, beside] = [median(rates.map(r => r[0])), median(rates.map(r => r[1]))]
    say('fresh mail beside the backlog', ...compared(beside, alone))
    run('store', full, String(alone))
    run('server', full)
  } finally {
    rmSync(made, { recursive: true, force: true })
  }
}

const [first = tmpdir(), second = '1000000', third = ''] = process.argv.slice(2)
if (first in steps) await steps[first as keyof typeof steps](second, third)
else all(first, second)
