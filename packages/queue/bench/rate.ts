// How fast the durable queue is on this disk: `node -C @posthorn/source packages/queue/bench/rate.ts [directory] [seconds]`.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock, Owner, Settlement } from '@posthorn/contracts'
import { sampleMessage, sampleRecipient } from '@posthorn/testkit'
import { openQueue } from '../src/index.ts'

const directory = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'queue-bench-'))
const seconds = Number(process.argv[3] ?? 3)
const later = (): never => {
  throw new Error('the queue sets no timers')
}
const clock: Clock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: later,
  after: later,
  deadline: later,
}
const random = {
  next: Math.random,
  int: (n: number) => Math.floor(Math.random() * n),
  bytes: (n: number) => randomBytes(n),
}
const queue = await openQueue({ directory, clock, random })
const owner = 'bench' as Owner
const body = new Uint8Array(1024).fill(120)
const head = new TextEncoder().encode(`${'Received: from somewhere\r\n'.repeat(8)}\r\n`)

const fresh = async (site: string): Promise<void> => {
  const draft = queue.begin(body.byteLength)
  await draft.write(body)
  await draft.end()
  const recipients = [sampleRecipient('bob@there.test', { site })]
  const claims = await draft.commit(sampleMessage({ recipients, head, facts: '{"session":"s"}' }), {
    owner,
    leaseMs: 60_000,
  })
  await queue.settle(claims.map((lease): Settlement => ({ lease, fate: { to: 'delivered' }, attempt: attempt() })))
}
const commitOnly = async (site: string, due?: number): Promise<void> => {
  const draft = queue.begin(body.byteLength)
  await draft.write(body)
  const recipients = [sampleRecipient('bob@there.test', { site, ...(due !== undefined && { due }) })]
  await draft.commit(sampleMessage({ recipients, head }))
}
const attempt = (): NonNullable<Settlement['attempt']> => ({ at: Date.now(), phase: 'dot', cause: 'ok', ms: 1 })

const measure = async (name: string, lanes: number, one: (i: number) => Promise<number>): Promise<void> => {
  const [groups, cpu, start] = [queue.stats.groups, process.cpuUsage(), performance.now()]
  const end = start + seconds * 1000
  let [next, done] = [0, 0]
  const lane = async (): Promise<void> => {
    while (performance.now() < end) {
      const count = await one(next++)
      done += count
      if (count === 0) return
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  const [ms, used] = [performance.now() - start, process.cpuUsage(cpu)]
  const per = (queue.stats.groups - groups) / (ms / 1000)
  const micros = (used.user + used.system) / Math.max(1, done)
  console.log(
    `${name.padEnd(58)} ${((done / ms) * 1000).toFixed(0).padStart(7)} /s  ${micros.toFixed(1).padStart(6)} µs CPU each  ${per.toFixed(0).padStart(6)} groups/s`,
  )
}

for (const lanes of [1, 20, 100])
  await measure(`accept + settle, fresh, 1 KiB, ${lanes} at once`, lanes, async i =>
    fresh(`local:u${i % 50}`).then(() => 1),
  )
await measure('commit only, 1 KiB, 10,000 sites, 100 at once', 100, async i =>
  commitOnly(`mx:d${i % 10_000}.test`).then(() => 1),
)
await measure('claim + settle in batches of up to 200', 2, async () => {
  const claims = await queue.claim({ owner, sites: 100, perSite: 2, leaseMs: 60_000 })
  await queue.settle(claims.map((lease): Settlement => ({ lease, fate: { to: 'delivered' }, attempt: attempt() })))
  return claims.length
})
// What the time did not suffice for would be due in the figures that follow.
await queue.change({ and: [] }, { do: 'drop' }, 'bench')
const due = Date.now() + 3_600_000
await measure('commit deferred mail, 100,000 sites', 100, async i =>
  commitOnly(`mx:d${i % 100_000}.test`, due).then(() => 1),
)
const timed = async (name: string, ask: () => Promise<unknown>): Promise<void> => {
  await ask()
  const start = performance.now()
  for (let i = 0; i < 20; i++) await ask()
  console.log(`${name.padEnd(58)} ${((performance.now() - start) / 20).toFixed(2)} ms`)
}
console.log(`${[...(await queue.count({ and: [] }))].map(([, n]) => n).join()} in the queue`)
await timed('claim with nothing due', () => queue.claim({ owner, sites: 10, perSite: 10, leaseMs: 1000 }))
await timed('nextDue', () => queue.nextDue())
await timed('list, a page of 50', () => queue.list({ and: [] }, { limit: 50 }))
await timed('count by state', () => queue.count({ and: [] }, 'state'))
console.log(`${(process.memoryUsage().rss / 1024 / 1024).toFixed(0)} MiB resident`)
await queue.close()
rmSync(directory, { recursive: true })
