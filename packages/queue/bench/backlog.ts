// What a million waiting messages cost the mail of today: `npm run bench:backlog [-- directory [messages]]`. Takes 3 GB of disk
// and a few minutes. It builds a backlog over many sites, half of it for one dead site, and measures, beside an empty queue.
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock, Filter, Owner, Settlement, SiteKey } from '@posthorn/contracts'
import { parseFilter } from '@posthorn/queue-filter'
import { sampleMailbox, sampleMessage, sampleRecipient } from '@posthorn/testkit'
import { openQueue } from '../src/index.ts'
import type { EmbeddedQueue } from '../src/index.ts'

const day = 86_400_000
const sites = 100_000
const dead = 'mx:dead.test' as SiteKey
const owner = 'bench' as Owner
const body = new Uint8Array(1024).fill(120)

const later = (): never => {
  throw new Error('the queue sets no timers')
}
const clockOf = (wall: () => number): Clock => ({
  wall,
  monotonic: () => performance.now(),
  sleep: later,
  after: later,
  deadline: later,
})
const random = {
  next: Math.random,
  int: (n: number) => Math.floor(Math.random() * n),
  bytes: (n: number) => randomBytes(n),
}
const say = (name: string, value: string, limit = ''): void => console.log(`${name.padEnd(64)} ${value} ${limit}`)
const ms = (n: number): string => `${n.toFixed(n < 10 ? 1 : 0)} ms`
const octets = (directory: string): number => statSync(join(directory, 'queue.db')).size

const put = async (
  queue: EmbeddedQueue,
  i: number,
  o: { site: string; due?: number; sender: string },
): Promise<void> => {
  const { site, due, sender } = o
  const draft = queue.begin(body.byteLength)
  await draft.write(body)
  const envelope = { returnPath: sampleMailbox(sender) }
  const recipients = [sampleRecipient(`user${i}@${site.slice(3)}`, { site, ...(due !== undefined && { due }) })]
  await draft.commit(sampleMessage({ envelope, recipients }))
}

/** Five days of mail; the later half of the due times of the dead site has passed. */
const build = async (directory: string, count: number): Promise<void> => {
  const now = Date.now()
  let made = 0
  const clock = clockOf(() => now - 5 * day + (5 * day * made) / count)
  const queue = await openQueue({ directory, clock, random, sync: false })
  const began = performance.now()
  const lane = async (): Promise<void> => {
    while (made < count) {
      const i = made++
      const site = i % 2 === 0 ? dead : `mx:d${(i * 7919) % sites}.test`
      await put(queue, i, { site, due: now + day + (i % 3600) * 1000, sender: `s${i % 1000}@here.test` })
    }
  }
  await Promise.all(Array.from({ length: 1000 }, lane))
  await queue.pause(dead, now + 2 * day, 'dead')
  await queue.close()
  const gib = octets(directory) / 1024 ** 3
  say(
    `${count} messages over ${sites} sites built`,
    `${((performance.now() - began) / 1000).toFixed(0)} s`,
    '(< 120 s)',
  )
  say('size of the database', `${gib.toFixed(2)} GiB`)
}

/** Fresh mail, accepted, leased at birth and settled, by so many sessions at once, a second. */
const rate = async (queue: EmbeddedQueue, seconds: number): Promise<number> => {
  const end = performance.now() + seconds * 1000
  let done = 0
  const lane = async (n: number): Promise<void> => {
    for (let i = n; performance.now() < end; i += 20) {
      const draft = queue.begin(body.byteLength)
      await draft.write(body)
      const recipients = [sampleRecipient('bob@there.test', { site: `local:u${i % 50}` })]
      const claims = await draft.commit(sampleMessage({ recipients }), { owner, leaseMs: 60_000 })
      const attempt = { at: Date.now(), phase: 'dot', cause: 'ok', ms: 1 }
      await queue.settle(claims.map((lease): Settlement => ({ lease, fate: { to: 'delivered' }, attempt })))
      done++
    }
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: 20 }, (_, n) => lane(n)))
  return done / ((performance.now() - began) / 1000)
}

const filterOf = (text: string): Filter => {
  const parsed = parseFilter(text)
  if (!parsed.ok) throw new Error(parsed.problem)
  return parsed.filter
}
const timed = async (ask: () => Promise<unknown>): Promise<number> => {
  const began = performance.now()
  await ask()
  return performance.now() - began
}
const questions = (queue: EmbeddedQueue): readonly (readonly [string, () => Promise<unknown>])[] => [
  ...[
    '',
    'sender:s7@here.test',
    'sender:nobody@here.test',
    'site:mx:d77.test',
    'site~nowhere',
    'age>119h',
    'age<1h',
  ].map(text => [`list ${text}`, () => queue.list(filterOf(text), { limit: 50 })] as const),
  ['count --by site', () => queue.count({ and: [] }, 'site')],
  ['count --by sender', () => queue.count({ and: [] }, 'sender')],
  ['count --by state', () => queue.count({ and: [] }, 'state')],
]

/** How long fresh mail that was not leased at birth waits for its claim while the dead site's backlog is being tried. */
const fairness = async (queue: EmbeddedQueue, seconds: number): Promise<readonly number[]> => {
  await queue.pause(dead, 0, '')
  await queue.change(filterOf('site:mx:dead.test age>60h'), { do: 'retry' }, 'bench')
  const came = new Map<string, number>()
  const waits: number[] = []
  const end = performance.now() + seconds * 1000
  let tried = 0
  const dispatch = async (): Promise<void> => {
    while (performance.now() < end) {
      const claims = await queue.claim({ owner, sites: 30, perSite: 64, leaseMs: 60_000 })
      for (const { to } of claims) {
        const at = came.get(to.to.wire)
        if (at === undefined) tried++
        else waits.push(performance.now() - at)
      }
      await queue.settle(
        claims.map((lease): Settlement => ({
          lease,
          fate: lease.site === dead ? { to: 'retry', due: Date.now() + day, why: 'dead' } : { to: 'relayed' },
        })),
      )
    }
  }
  const feed = async (): Promise<void> => {
    for (let i = 0; performance.now() < end; i++) {
      const site = `mx:fresh${i % 1000}.test`
      came.set(`user${i}@${site.slice(3)}`, performance.now())
      await put(queue, i, { site, sender: 'now@here.test' })
    }
  }
  await Promise.all([dispatch(), feed()])
  say('deliveries of the dead site tried meanwhile', String(tried))
  return waits.sort((a, b) => a - b)
}

const measure = async (directory: string, empty: number): Promise<void> => {
  const clock = clockOf(() => Date.now())
  const began = performance.now()
  const queue = await openQueue({ directory, clock, random })
  say('start', ms(performance.now() - began), '(< 3000 ms)')
  const compared = (perSecond: number): readonly [string, string] => [
    `${perSecond.toFixed(0)} /s`,
    `(${((100 * perSecond) / empty).toFixed(0)} % of an empty queue's ${empty.toFixed(0)}, > 80 %)`,
  ]
  for (const [name, ask] of questions(queue)) say(name, ms(await timed(ask)), '(< 1000 ms)')
  const asking = { on: true }
  const worst = new Map<string, number>()
  const ask = async (): Promise<void> => {
    while (asking.on)
      for (const [name, one] of questions(queue)) worst.set(name, Math.max(worst.get(name) ?? 0, await timed(one)))
  }
  const asked = ask()
  const busy = await rate(queue, 8)
  asking.on = false
  await asked
  say('fresh mail while it is listed and counted without a pause', ...compared(busy))
  for (const [name, time] of worst) say(`  ${name}, at worst`, ms(time))
  const waits = await fairness(queue, 10)
  const at = (part: number): string => ms(waits[Math.min(waits.length - 1, Math.floor(waits.length * part))] ?? NaN)
  say(`${waits.length} fresh messages wait beside the dead site's`, `${at(0.5)}, 99 %: ${at(0.99)}, worst ${at(1)}`)
  const [now, most] = [process.memoryUsage().rss / 1024 ** 2, process.resourceUsage().maxRSS / 1024]
  say('resident memory', `${now.toFixed(0)} MiB, at most ${most.toFixed(0)} MiB`, '(< 300 MiB)')
  await queue.close()
}

/** The rate alone, for comparing; runs with and without a backlog take turns, since the machine may have other things to do. */
const measureRate = async (directory: string): Promise<void> => {
  const queue = await openQueue({ directory, clock: clockOf(() => Date.now()), random })
  await rate(queue, 1)
  console.log(await rate(queue, 4))
  await queue.close()
}

const [where = tmpdir(), count = '1000000', step] = process.argv.slice(2)
/** In a process of its own, whose memory is that of a server and not of the builder. */
const run = (step: 'rate' | 'full', ...args: readonly string[]): string =>
  spawnSync(process.execPath, ['-C', '@posthorn/source', import.meta.filename, ...args, step], {
    stdio: ['ignore', step === 'rate' ? 'pipe' : 'inherit', 'inherit'],
    encoding: 'utf8',
  }).stdout
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

if (step === 'rate') await measureRate(where)
else if (step === 'full') await measure(where, Number(count))
else {
  const made = mkdtempSync(join(where, 'queue-backlog-'))
  const [full, empty] = [join(made, 'full'), join(made, 'empty')]
  try {
    await build(full, Number(count))
    const rates = Array.from(
      { length: 3 },
      () => [Number(run('rate', empty, '')), Number(run('rate', full, ''))] as const,
    )
    const [alone, beside] = [median(rates.map(r => r[0])), median(rates.map(r => r[1]))]
    say('fresh mail through an empty queue', `${alone.toFixed(0)} /s`)
    say(
      'fresh mail beside the backlog',
      `${beside.toFixed(0)} /s`,
      `(${((100 * beside) / alone).toFixed(0)} %, > 80 %)`,
    )
    run('full', full, String(alone))
  } finally {
    rmSync(made, { recursive: true, force: true })
  }
}
