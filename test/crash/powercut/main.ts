import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { has } from '../../peers/command.ts'
import { exploreAll } from './explore.ts'
import { record } from './record.ts'

const { values: flags } = parseArgs({
  options: {
    messages: { type: 'string', default: '30' },
    every: { type: 'string', default: '5' },
    torn: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (flags.help) {
  console.log(`npm run test:powercut -- [--messages N] [--every N] [--torn N] [--seed S] [--json]
Records what a queue and a Maildir write and sync, and starts on what power cuts may leave of it. Needs strace.
--messages   taken in by each of the three processes of the workload
--every      of so many system calls, one is followed by a power cut (1: all); every sync is
--torn       seeded images at each sync, beside the one that keeps nothing`)
  process.exit(0)
}
const number = (name: 'messages' | 'every' | 'torn' | 'seed', least: number): number => {
  const value = Number(flags[name])
  if (!Number.isInteger(value) || value < least || value > 1e6)
    throw new Error(`--${name} takes a whole number from ${least}`)
  return value
}
if (!has('strace')) throw new Error('strace is missing: scripts/install-peers installs it')

const say = (text: string): void => void (flags.json ? process.stderr : process.stdout).write(`${text}\n`)
// Nothing here is ever synced, so memory will do.
const scratch = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'posthorn-powercut-'))
const seed = number('seed', 0)
const started = performance.now()
let lost = 1
try {
  const recording = await record(scratch, { messages: number('messages', 1), seed })
  say('recorded; now starting on what power cuts may leave')
  const plan = { seed, every: number('every', 1), torn: number('torn', 0), parts: 2, scratch }
  const { findings, ...counts } = await exploreAll({ ...recording, ...plan })
  const seconds = Math.round((performance.now() - started) / 1000)
  for (const { kind, what, at } of findings.slice(0, 20)) say(`${kind.toUpperCase()}: ${what} (${at})`)
  say(
    `${counts.images} images of ${counts.calls} calls and ${counts.syncs} syncs: ${findings.length} faults, ${seconds} s, seed ${seed}`,
  )
  if (flags.json) console.log(JSON.stringify({ seed, seconds, ...counts, findings }))
  lost = findings.length
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
process.exit(lost === 0 ? 0 : 1)
