import { spawn, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import type { QueueId } from '@posthorn/contracts'
import { claimSample, enqueueSample, manualClock, sampleOwner, seededRandom, textOf } from '@posthorn/testkit'
import { afterEach, expect, test, vi } from 'vitest'
import { compactQueue, openQueue, restoreQueue } from './index.ts'
import type { DurableQueue } from './index.ts'

vi.setConfig({ testTimeout: 60_000 })

const cleaners: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleaners.splice(0).reverse()) await clean()
})
/** A directory that holds nothing yet, but for what a test puts beside the queue. */
const newState = (): { readonly queue: string; readonly saved: string; readonly other: string } => {
  const state = mkdtempSync(join(tmpdir(), 'queue-state-'))
  cleaners.push(() => rmSync(state, { recursive: true }))
  return { queue: join(state, 'queue'), saved: join(state, 'saved'), other: join(state, 'other', 'queue') }
}
const clock = manualClock({ wall: Date.now() })
let seed = 1
const open = async (directory: string): Promise<DurableQueue> => {
  const queue = await openQueue({ directory, clock, random: seededRandom(seed++), floorBytes: 0, bodyInline: 4096 })
  cleaners.push(() => queue.close())
  return queue
}
const put = async (queue: DurableQueue, n: number): Promise<Map<QueueId, string>> => {
  const texts = Array.from({ length: n }, (_, i) => `${i} `.repeat(i % 3 === 0 ? 5000 : 200))
  const ids = await Promise.all(texts.map(text => enqueueSample(queue, undefined, text)))
  return new Map(ids.map((id, i) => [id, texts[i] ?? '']))
}
/** All that is due, by id. */
const contents = async (queue: DurableQueue): Promise<Map<QueueId, string>> => {
  const found = new Map<QueueId, string>()
  for (const claim of await claimSample(queue, { perSite: 10_000 })) found.set(claim.id, await textOf(claim.body))
  return found
}
const sorted = (map: ReadonlyMap<QueueId, string>): unknown => [...map].toSorted(([a], [b]) => (a < b ? -1 : 1))
const at = (): { readonly now: number } => ({ now: clock.wall() })

test('row 50: a restored backup has every message of its moment, whole, and frees the leases of attempts that were under way', async () => {
  const { queue: directory, saved, other } = newState()
  const queue = await open(directory)
  const sent = await put(queue, 30)
  await claimSample(queue, { perSite: 7 })
  const made = await queue.backUp(saved)
  expect(made).toMatchObject({ messages: 30, deliveries: 30, attempted: 7, files: 10 })
  await put(queue, 5)
  expect(restoreQueue(saved, other, { ...at(), dryRun: true })).toEqual(made)
  expect(existsSync(other)).toBe(false)
  mkdirSync(join(other, '..'))
  expect(restoreQueue(saved, other, at())).toEqual(made)
  const restored = await open(other)
  expect(sorted(await contents(restored))).toEqual(sorted(sent))
})

test('a backup made while mail comes and goes has each message with its content', async () => {
  const { queue: directory, saved, other } = newState()
  const queue = await open(directory)
  const before = await put(queue, 200)
  const traffic = { on: true }
  const coming = async (): Promise<void> => {
    while (traffic.on) await put(queue, 20)
  }
  // What leaves takes its file with it, but not while that is being copied.
  const going = async (): Promise<void> => {
    while (traffic.on) {
      const claims = await queue.claim({ owner: sampleOwner, sites: 1, perSite: 10, leaseMs: 60_000 })
      await queue.settle(claims.map(lease => ({ lease, fate: { to: 'delivered' as const } })))
    }
  }
  const working = Promise.all([coming(), going(), going()])
  const made = await queue.backUp(saved)
  traffic.on = false
  await working
  restoreQueue(saved, other, at())
  const found = await contents(await open(other))
  expect(found.size).toBe(made.messages)
  for (const [id, text] of found) {
    expect(text).toMatch(/^(\d+) (?:\1 )*$/)
    expect(text).toBe(before.get(id) ?? text)
  }
  // The files that were kept for it are gone with their messages.
  const left = await queue.list({ and: [{ field: 'size', op: '>', value: '4096' }] }, { limit: 1000 })
  await vi.waitFor(() =>
    expect(readdirSync(join(directory, 'spool')).toSorted()).toEqual(left.rows.map(r => r.id).toSorted()),
  )
})

test('one backup is made at a time, never over something, and none of a queue that closes', async () => {
  const { queue: directory, saved } = newState()
  const queue = await open(directory)
  await put(queue, 50)
  const [first, second] = [queue.backUp(saved), queue.backUp(`${saved}2`)]
  await expect(second).rejects.toThrow('another backup is being made')
  await first
  expect(existsSync(`${saved}2`)).toBe(false)
  await expect(queue.backUp(saved)).rejects.toThrow('is there already')
  await expect(queue.backUp('/nowhere/at/all')).rejects.toThrow('there is no directory /nowhere/at')
  const third = queue.backUp(`${saved}3`)
  third.catch(() => {})
  await Promise.resolve()
  await queue.close()
  await expect(third).rejects.toThrow(/cut short|closed/)
  expect(readdirSync(join(saved, '..')).filter(name => name.includes('unfinished'))).toEqual([])
})

test('a backup is for its owner alone, whatever the umask', async () => {
  const { queue: directory, saved } = newState()
  const queue = await open(directory)
  await put(queue, 3)
  const umask = process.umask(0)
  cleaners.push(() => process.umask(umask))
  await queue.backUp(saved)
  const modes = ['', 'queue.db', 'manifest.jsonl', 'spool', `spool/${readdirSync(join(saved, 'spool'))[0]}`].map(
    name => statSync(join(saved, name)).mode & 0o777,
  )
  expect(modes).toEqual([0o700, 0o600, 0o600, 0o700, 0o600])
})

test('row 50: what is damaged, cut short, unfinished or of a newer release is not restored, and nothing is changed', async () => {
  const { queue: directory, saved, other } = newState()
  const queue = await open(directory)
  await put(queue, 4)
  await queue.backUp(saved)
  const manifest = join(saved, 'manifest.jsonl')
  const whole = readFileSync(manifest, 'utf8')
  const db = join(saved, 'queue.db')
  const spooled = join(saved, 'spool', readdirSync(join(saved, 'spool'))[0] ?? '')
  const refusal = (): string => {
    try {
      restoreQueue(saved, other, at())
      return 'restored'
    } catch (error) {
      return String(error)
    }
  }
  const undo = (path: string): (() => void) => {
    const content = readFileSync(path)
    return () => {
      rmSync(path, { force: true })
      writeFileSync(path, content)
    }
  }
  const cases: readonly (readonly [path: string, damage: () => void, says: RegExp])[] = [
    [db, () => flip(db), /queue\.db is damaged/],
    [db, () => truncateSync(db, 8192), /queue\.db has 8192 octets instead of/],
    [spooled, () => flip(spooled), /spool\/\w+ is damaged/],
    [spooled, () => appendFileSync(spooled, 'x'), /octets instead of/],
    [spooled, () => rmSync(spooled), /is missing/],
    [spooled, () => swapForLink(spooled, db), /is no regular file/],
    [manifest, () => rmSync(manifest), /no finished backup/],
    [manifest, () => writeFileSync(manifest, whole.slice(0, -20)), /manifest\.jsonl is damaged/],
    [manifest, () => writeFileSync(manifest, whole.replace(/\n.*spool.*\n/, '\n')), /manifest\.jsonl is damaged/],
    [manifest, () => writeFileSync(manifest, whole.replace('spool/', 'spool/../')), /manifest\.jsonl is damaged/],
    [manifest, () => writeFileSync(manifest, whole.replace(/"schema":\d+/, '"schema":99')), /a newer release made it/],
    [manifest, () => writeFileSync(manifest, '{}'), /of something else/],
  ]
  for (const [path, damage, says] of cases) {
    const restore = undo(path)
    damage()
    expect(refusal()).toMatch(says)
    restore()
    expect(existsSync(other)).toBe(false)
  }
  expect(refusal()).toBe('restored')
})

const flip = (path: string): void => {
  const content = readFileSync(path)
  content[content.byteLength >> 1] = (content[content.byteLength >> 1] ?? 0) ^ 1
  writeFileSync(path, content)
}
const swapForLink = (path: string, to: string): void => {
  rmSync(path)
  symlinkSync(to, path)
}

test('row 50: a queue that is open or that holds mail is not restored over; an empty one is put aside', async () => {
  const { queue: directory, saved } = newState()
  const queue = await open(directory)
  await put(queue, 2)
  await queue.backUp(saved)
  expect(() => restoreQueue(saved, directory, at())).toThrow(`in use by process ${process.pid}`)
  await queue.close()
  expect(() => restoreQueue(saved, directory, at())).toThrow(/2 deliveries wait in the queue/)
  const emptied = await open(directory)
  const claims = await claimSample(emptied)
  await emptied.settle(claims.map(lease => ({ lease, fate: { to: 'delivered' as const } })))
  await emptied.close()
  const { aside = '' } = restoreQueue(saved, directory, at())
  expect(existsSync(join(aside, 'queue.db'))).toBe(true)
  expect((await contents(await open(directory))).size).toBe(2)
})

/** A queue of which most has left: there is space to give back. */
const withHoles = async (directory: string): Promise<Map<QueueId, string>> => {
  const queue = await open(directory)
  await Promise.all(Array.from({ length: 6000 }, () => enqueueSample(queue, undefined, 'x'.repeat(4000))))
  const claims = await claimSample(queue, { perSite: 10_000 })
  for (let left = claims; left.length > 0; left = await claimSample(queue, { perSite: 10_000 }))
    await queue.settle(left.map(lease => ({ lease, fate: { to: 'delivered' as const } })))
  const kept = await put(queue, 2000)
  await queue.close()
  return kept
}

test('a compaction gives the space back, tells how far it has come, and changes nothing else', async () => {
  const { queue: directory } = newState()
  const kept = await withHoles(directory)
  const told: number[] = []
  const { before, after } = await compactQueue(directory, { progress: (done, of) => told.push(done / of) })
  expect([before > 2 * after, statSync(join(directory, 'queue.db')).size]).toEqual([true, after])
  expect(told.every(part => part >= 0 && part <= 1)).toBe(true)
  expect(statSync(join(directory, 'queue.db')).mode & 0o777).toBe(0o600)
  const queue = await open(directory)
  const found = new Map<QueueId, string>()
  for (let more = await contents(queue); more.size > 0; more = await contents(queue))
    for (const [id, text] of more) found.set(id, text)
  expect(sorted(found)).toEqual(sorted(kept))
  await expect(compactQueue(directory)).rejects.toThrow(`in use by process ${process.pid}`)
})

test('row 50: a compaction killed at any moment leaves the queue whole', async () => {
  const { queue: directory } = newState()
  const kept = await withHoles(directory)
  const half = join(directory, 'queue.db.compacted')
  const script = fileURLToPath(new URL('../test/compact.ts', import.meta.url))
  const database = join(directory, 'queue.db')
  const before = statSync(database)
  const size = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? -1
  const moments: readonly (() => boolean)[] = [
    () => size(half) >= 0,
    () => size(half) > 500_000,
    () => size(half) > 2_000_000,
    () => size(half) > 4_000_000,
    () => statSync(database).ino !== before.ino,
  ]
  for (const moment of moments) {
    const child = spawn(process.execPath, ['-C', '@posthorn/source', script, directory], { stdio: 'ignore' })
    const ended = new Promise(resolve => child.once('exit', resolve))
    while (child.exitCode === null && !moment()) await new Promise(resolve => setImmediate(resolve))
    child.kill('SIGKILL')
    await ended
    const queue = await open(directory)
    expect(existsSync(half)).toBe(false)
    expect(await queue.count({ and: [] })).toEqual(new Map([['all', kept.size]]))
    await queue.close()
    const db = new DatabaseSync(database)
    expect(db.prepare('pragma integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
    db.close()
  }
  const ran = spawnSync(process.execPath, ['-C', '@posthorn/source', script, directory], { encoding: 'utf8' })
  expect(JSON.parse(ran.stdout)).toMatchObject({ after: statSync(database).size })
  expect(statSync(database).size).toBeLessThan(before.size / 2)
})

test('a compaction without room for a second file changes nothing and says what it needs', async ({ skip }) => {
  const { queue: directory } = newState()
  await (await open(directory)).close()
  const { other } = newState()
  const small = join(other, '..')
  mkdirSync(small)
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m,mode=700', 'none', small])
  if (mounted.status !== 0 && process.getuid?.() === 0) throw new Error(String(mounted.stderr))
  skip(mounted.status !== 0, 'only root may mount a small file system')
  cleaners.push(() => spawnSync('umount', [small]))
  spawnSync('cp', ['-a', directory, other])
  rmSync(join(other, 'reserve'), { force: true })
  const before = readFileSync(join(other, 'queue.db'))
  await expect(compactQueue(other)).rejects.toThrow(/needs \d+ MiB of free space, and there are \d/)
  expect(readFileSync(join(other, 'queue.db')).equals(before)).toBe(true)
})
