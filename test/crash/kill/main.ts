import { parseArgs } from 'node:util'
import { seededRandom } from '@posthorn/testkit'
import { settleAccount, type Account } from './account.ts'
import { sendUntilCut, type Log } from './load.ts'
import { makeRig } from './rig.ts'

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '30' },
    seed: { type: 'string' },
    workers: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (flags.help) {
  console.log(`npm run test:crash -- [--rounds N] [--seed S] [--workers N] [--json]
Two Posthorns, one relaying to the other, under load; one or both are killed (SIGKILL) at an instant of chance in each round,
and started again. With workers, some of the kills are of one worker, which the server replaces. Ends with an account of every message.`)
  process.exit(0)
}
const rounds = Number(flags.rounds)
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100_000)
  throw new Error('--rounds takes a whole number from 1 to 100000')
const seed = flags.seed === undefined ? Date.now() % 1_000_000 : Number(flags.seed)
if (!Number.isInteger(seed) || seed < 0) throw new Error('--seed takes a whole number')

const workers = Number(flags.workers)
if (!Number.isInteger(workers) || workers < 1 || workers > 64)
  throw new Error('--workers takes a whole number from 1 to 64')

/** Rounds between two accounts: few, so that a fault is found near its cause, and many, since queues must run empty for one. */
const accountEvery = 25
const senders = 6

const say = (text: string): void => void (flags.json ? process.stderr : process.stdout).write(`${text}\n`)
const random = seededRandom(seed)
const started = performance.now()
const rig = await makeRig(workers)
const log: Log = new Map()
const total = { accepted: 0, unanswered: 0, delivered: 0, relayed: 0, bounced: 0, duplicates: 0 }
const faults: string[] = []
let loads: Promise<void>[] = []

const load = async (label: string): Promise<void> => {
  const fresh = rig.here.running === undefined
  const { ports } = await rig.here.up()
  if (!fresh && loads.length > 0) return
  loads = Array.from({ length: senders }, (_, i) => {
    const own = seededRandom(random.int(1_000_000))
    const isOver = (): boolean => rig.here.running?.port('mx') !== ports['mx']
    return sendUntilCut(ports['mx'] ?? 0, { label: `${label}x${i}`, log, random: own, isOver })
  })
}
const killHere = async (): Promise<void> => {
  await rig.here.kill()
  await Promise.all(loads)
  loads = []
}
/** One or two, of either server. */
const killWorkers = async (): Promise<void> => {
  for (let left = 1 + random.int(2); left > 0; left--) {
    const { here, there } = rig
    const server = random.int(3) > 0 ? here : there
    server.killWorker(count => random.int(Math.max(1, count)))
    await new Promise(resolve => setTimeout(resolve, random.int(200)))
  }
}
const round = async (label: string): Promise<void> => {
  const up = rig.there.up()
  // Some of the starts end before they are ready: in the recovery of what the last kill left.
  if (rig.here.running === undefined && random.int(6) === 0) await rig.here.killStarting(100 + random.int(600))
  await Promise.all([up, load(label)])
  await new Promise(resolve => setTimeout(resolve, 20 + random.int(480)))
  if (workers > 1) await killWorkers()
  const victim = random.int(workers > 1 ? 8 : 5)
  // It has lost workers alone, and goes on.
  if (victim > 4) return
  if (victim > 0) await Promise.all([killHere(), victim === 1 ? rig.there.kill() : undefined])
  else await rig.there.kill()
}
const account = async (after: number): Promise<void> => {
  // Whatever still sends would never let the queue run empty.
  await killHere()
  await rig.drained()
  const { faults: found, ...counts }: Account = settleAccount(log, {
    here: rig.here.site.maildir('ann'),
    there: rig.there.site.maildir('bob'),
    kills: rig.kills,
  })
  for (const key of Object.keys(counts) as (keyof typeof counts)[]) total[key] += counts[key]
  faults.push(...found)
  for (const fault of found.slice(0, 20)) say(fault)
  const seconds = Math.round((performance.now() - started) / 1000)
  say(
    `${after} of ${rounds} rounds, ${seconds} s: ${total.accepted} accepted, ${total.duplicates} doubled, ${faults.length} faults`,
  )
}

try {
  for (let n = 1; n <= rounds; n++) {
    await round(`r${n}`)
    if (n % accountEvery === 0 || n === rounds) await account(n)
  }
} finally {
  await rig.remove()
}
const seconds = Math.round((performance.now() - started) / 1000)
say(
  `${rounds} rounds with ${rig.kills.length} kills in ${seconds} s, seed ${seed}: ${total.accepted} recipients accepted, ` +
    `${total.delivered} delivered, ${total.relayed} relayed, ${total.bounced} bounced, ${total.unanswered} unanswered, ` +
    `${total.duplicates} second copies, ${faults.length} faults`,
)
if (flags.json) console.log(JSON.stringify({ rounds, seed, seconds, kills: rig.kills.length, ...total, faults }))
process.exit(faults.length === 0 ? 0 : 1)
