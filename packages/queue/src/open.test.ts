import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import type { Journal } from '@posthorn/contracts'
import {
  claimSample,
  enqueueSample,
  failureOf,
  manualClock,
  sampleMessage,
  sampleOwner,
  sampleRecipient,
  seededRandom,
  textOf,
} from '@posthorn/testkit'
import { afterEach, expect, test } from 'vitest'
import { layoutOf, prepareDirectory } from './directory.ts'
import { openQueue } from './index.ts'
import type { EmbeddedQueue, QueueOptions } from './index.ts'

const cleaners: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleaners.splice(0).reverse()) await clean()
})

const newDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'queue-'))
  cleaners.push(() => rmSync(directory, { recursive: true }))
  return directory
}
const clock = manualClock({ wall: Date.now() })
let seed = 1
const open = async (directory: string, o: Partial<QueueOptions> = {}): Promise<EmbeddedQueue> => {
  const queue = await openQueue({ directory, clock, random: seededRandom(seed++), sync: false, floorBytes: 0, ...o })
  cleaners.push(() => queue.close())
  return queue
}
const journalOf = (events: [string, object][]): Journal => ({
  event: (name, fields) => void events.push([name, fields]),
  child: () => journalOf(events),
})
const large = 'x'.repeat(200_000)

test('row 50: a second opener is refused with the number of the process that has the store, and let in after it closed', async () => {
  const directory = newDirectory()
  const first = await open(directory)
  await expect(open(directory)).rejects.toThrow(`in use by process ${process.pid}`)
  const script = fileURLToPath(new URL('../test/accept.ts', import.meta.url))
  const other = spawnSync(process.execPath, ['-C', '@posthorn/source', script, directory], { encoding: 'utf8' })
  expect(other.stderr).toContain(`in use by process ${process.pid}`)
  await first.close()
  await open(directory)
})

test('everything accepted before a kill -9 is there when the store is opened again, with its content', async () => {
  const directory = newDirectory()
  const script = fileURLToPath(new URL('../test/accept.ts', import.meta.url))
  const child = spawn(process.execPath, ['-C', '@posthorn/source', script, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  cleaners.push(() => child.kill('SIGKILL'))
  const accepted = new Map<string, number>()
  for await (const line of createInterface({ input: child.stdout })) {
    const [id = '', size] = line.split(' ')
    accepted.set(id, Number(size))
    if (accepted.size === 300) child.kill('SIGKILL')
  }
  await clock.advance(60_000)
  const queue = await open(directory, { bodyInline: 4096 })
  const claims = await claimSample(queue, { perSite: 10_000 })
  const found = new Map<string, number>()
  for (const { id, body } of claims) found.set(id, (await textOf(body)).length)
  for (const [id, size] of accepted) expect([id, found.get(id)]).toEqual([id, size])
  expect(accepted.size).toBeGreaterThanOrEqual(300)
})

test('a store of a newer release, or of another program, is refused in words', async () => {
  const newer = newDirectory()
  await (await open(newer)).close()
  const db = new DatabaseSync(layoutOf(newer).database)
  db.exec(`update meta set value = 99 where key = 'schema'`)
  db.close()
  await expect(open(newer)).rejects.toThrow('schema 99')
  const foreign = newDirectory()
  const other = new DatabaseSync(layoutOf(foreign).database)
  other.exec('create table theirs(a)')
  other.close()
  chmodSync(layoutOf(foreign).database, 0o600)
  await expect(open(foreign)).rejects.toThrow('tables of another program')
})

test('a database that is no database is refused, not overwritten', async () => {
  const directory = newDirectory()
  writeFileSync(layoutOf(directory).database, 'x'.repeat(5000), { mode: 0o600 })
  await expect(open(directory)).rejects.toThrow('not a database')
  expect(statSync(layoutOf(directory).database).size).toBe(5000)
})

test('row 49: symbolic links, foreign files and files that others may write are refused by name', async () => {
  const linked = newDirectory()
  symlinkSync('/etc/passwd', layoutOf(linked).database)
  await expect(open(linked)).rejects.toThrow('queue.db: it is a symbolic link')
  const shared = newDirectory()
  writeFileSync(layoutOf(shared).database, '')
  chmodSync(layoutOf(shared).database, 0o666)
  await expect(open(shared)).rejects.toThrow('others may write to it')
  const odd = newDirectory()
  mkdirSync(layoutOf(odd).lock)
  await expect(open(odd)).rejects.toThrow('lock.db: it is no file')
  const foreign = layoutOf(newDirectory())
  expect(() => prepareDirectory(foreign, { user: (process.geteuid?.() ?? 0) + 1 })).toThrow('it belongs to user')
})

test('files are for their owner alone, whatever the umask', async () => {
  const directory = join(newDirectory(), 'var', 'queue')
  const before = process.umask(0)
  cleaners.push(() => process.umask(before))
  const queue = await open(directory, { floorBytes: 1 })
  await enqueueSample(queue, sampleMessage(), large)
  const modes = readdirSync(directory, { recursive: true }).map(name => statSync(join(directory, String(name))))
  expect(modes.length).toBeGreaterThan(6)
  for (const stat of [statSync(directory), ...modes]) expect(stat.mode & 0o077).toBe(0)
})

test('a large message has a file until it leaves, a small one has none', async () => {
  const directory = newDirectory()
  const queue = await open(directory, { sync: true })
  await enqueueSample(queue)
  expect(readdirSync(layoutOf(directory).spool)).toEqual([])
  const id = await enqueueSample(
    queue,
    sampleMessage({ recipients: [sampleRecipient('a@b.test'), sampleRecipient('c@d.test')] }),
    large,
  )
  expect(readdirSync(layoutOf(directory).spool)).toEqual([id])
  const claims = (await claimSample(queue)).filter(c => c.id === id)
  expect(claims).toHaveLength(2)
  for (const lease of claims) {
    expect(readdirSync(layoutOf(directory).spool)).toEqual([id])
    await queue.settle([{ lease, fate: { to: 'delivered' } }])
  }
  await queue.close()
  expect(readdirSync(layoutOf(directory).spool)).toEqual([])
})

test('a writer faster than the disk is told to wait', async () => {
  const queue = await open(newDirectory())
  const draft = queue.begin()
  let waits = 0
  for (let i = 0; i < 64; i++) {
    const wait = draft.write(new Uint8Array(65_536))
    if (wait !== undefined) waits++
    await wait
  }
  expect(waits).toBeGreaterThan(0)
  expect((await draft.end()).size).toBe(64 * 65_536)
  await draft.abort()
})

test('row 47: a spool file that cannot be written fails the message alone, as a StoreError, and nothing is kept', async () => {
  const directory = newDirectory()
  const queue = await open(directory)
  rmSync(layoutOf(directory).spool, { recursive: true })
  const draft = queue.begin()
  for (let i = 0; i < 20; i++) await draft.write(new Uint8Array(65_536))
  expect(await failureOf(() => draft.end())).toMatchObject({ name: 'StoreError', full: false })
  expect(await failureOf(() => draft.commit(sampleMessage()))).toMatchObject({ name: 'StoreError' })
  expect(await claimSample(queue)).toEqual([])
  await enqueueSample(queue)
  expect(await claimSample(queue)).toHaveLength(1)
})

test('row 47: a full store answers full, keeps what it has, and lets attempts end', async () => {
  const directory = newDirectory()
  const events: [string, object][] = []
  const queue = await open(directory, { maxPages: 200, journal: journalOf(events) })
  const results = await Promise.allSettled(
    Array.from({ length: 100 }, () => enqueueSample(queue, sampleMessage(), 'x'.repeat(20_000))),
  )
  const failed = results.filter(r => r.status === 'rejected')
  expect(failed.length).toBeGreaterThan(0)
  for (const r of failed) expect(r.reason).toMatchObject({ name: 'StoreError', full: true })
  expect(events.map(([name]) => name)).toEqual(['queue.full'])
  expect(await failureOf(() => queue.begin())).toMatchObject({ name: 'StoreError', full: true })
  const claims = await claimSample(queue)
  expect(claims).toHaveLength(100 - failed.length)
  expect(await queue.settle(claims.map(lease => ({ lease, fate: { to: 'delivered' } })))).not.toContain('stale')
  await clock.advance(1000)
  await enqueueSample(queue, sampleMessage(), 'x'.repeat(20_000))
})

test('below the floor of free space nothing comes in', async () => {
  const queue = await open(newDirectory(), { floorBytes: Number.MAX_SAFE_INTEGER })
  expect(await failureOf(() => queue.begin())).toMatchObject({ name: 'StoreError', full: true })
})

test('files of drafts that a crash cut off are removed at the start; those of queued messages and of strangers stay', async () => {
  const directory = newDirectory()
  const first = await open(directory)
  const id = await enqueueSample(first, sampleMessage(), large)
  const orphan = first.newId()
  await first.close()
  const { spool } = layoutOf(directory)
  writeFileSync(join(spool, orphan), 'half a mail')
  writeFileSync(join(spool, 'README'), 'not ours')
  const events: [string, object][] = []
  const second = await open(directory, { journal: journalOf(events) })
  await second.close()
  expect(readdirSync(spool).sort()).toEqual([id, 'README'].sort())
  expect(events).toEqual([['queue.recovered', { leases: 0, orphans: 1 }]])
})

test('row 49: a spool file cut short, grown, linked elsewhere or gone is set aside; the rest is delivered', async () => {
  const directory = newDirectory()
  const events: [string, object][] = []
  const queue = await open(directory, { journal: journalOf(events) })
  const ids: string[] = []
  for (let i = 0; i < 5; i++) ids.push(await enqueueSample(queue, sampleMessage(), large))
  const path = (i: number): string => join(layoutOf(directory).spool, ids[i] ?? '')
  truncateSync(path(0), 1000)
  writeFileSync(path(1), 'garbage', { flag: 'a' })
  rmSync(path(2))
  symlinkSync('/etc/passwd', path(2))
  rmSync(path(3))
  const claims = await claimSample(queue)
  expect(claims.map(c => c.id)).toEqual([ids[4]])
  for (const { body } of claims) expect((await textOf(body)).length).toBe(large.length)
  expect(events.map(([name, fields]) => [name, 'id' in fields && fields.id])).toEqual(
    ids.slice(0, 4).map(id => ['queue.corrupt', id]),
  )
  expect((await queue.count({ and: [] }, 'state')).get('held')).toBe(4)
})

test('row 49: a spool file of another user is set aside', async ({ skip }) => {
  skip(process.getuid?.() !== 0, 'only root may give files away')
  const directory = newDirectory()
  const events: [string, object][] = []
  const queue = await open(directory, { journal: journalOf(events) })
  const id = await enqueueSample(queue, sampleMessage(), large)
  chownSync(join(layoutOf(directory).spool, id), 12_345, 12_345)
  expect(await claimSample(queue)).toEqual([])
  expect(events).toEqual([['queue.corrupt', { id, why: 'its spool file belongs to user 12345' }]])
})

test('row 49: garbage behind the log or the database loses nothing; a database cut short is refused, and left as it is', async () => {
  const directory = newDirectory()
  const { database } = layoutOf(directory)
  const script = fileURLToPath(new URL('../test/accept.ts', import.meta.url))
  const child = spawn(process.execPath, ['-C', '@posthorn/source', script, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const accepted: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    if (accepted.push(line.split(' ')[0] ?? '') >= 100) child.kill('SIGKILL')
  }
  for (const file of [`${database}-wal`, database]) appendFileSync(file, randomBytes(10_000))
  const queue = await open(directory)
  const found = await queue.list({ and: [] }, { limit: 1000 })
  expect(found.rows.map(r => r.id)).toEqual(expect.arrayContaining(accepted))
  await queue.close()
  const size = Math.floor(statSync(database).size / 8192) * 4096
  truncateSync(database, size)
  await expect(open(directory)).rejects.toThrow(/malformed/)
  expect(statSync(database).size).toBe(size)
})

test('leases of an instance that is gone are free at the next start', async () => {
  const directory = newDirectory()
  const first = await open(directory)
  await enqueueSample(first)
  await claimSample(first)
  await first.close()
  const events: [string, object][] = []
  const second = await open(directory, { journal: journalOf(events) })
  expect(await claimSample(second)).toHaveLength(1)
  await second.close()
  expect(events).toEqual([['queue.recovered', { leases: 1, orphans: 0 }]])
})

test('row 48: a clock set back by a day frees no lease, and holds up nothing that comes in afterwards', async () => {
  const queue = await open(newDirectory())
  await enqueueSample(queue)
  expect(await claimSample(queue)).toHaveLength(1)
  const before = clock.wall()
  clock.setWall(before - 86_400_000)
  cleaners.push(() => clock.setWall(before + 60_000))
  expect(await claimSample(queue)).toEqual([])
  const id = await enqueueSample(queue)
  const claims = await claimSample(queue)
  expect(claims.map(claim => claim.id)).toEqual([id])
  expect(await queue.settle(claims.map(lease => ({ lease, fate: { to: 'delivered' } })))).toEqual(['ok'])
})

test('a thousand sessions that commit at once share a few transactions', async () => {
  const queue = await open(newDirectory())
  await Promise.all(Array.from({ length: 1000 }, () => enqueueSample(queue)))
  expect(queue.stats).toMatchObject({ operations: 1000 })
  expect(queue.stats.groups).toBeLessThan(20)
  expect((await queue.count({ and: [] })).get('all')).toBe(1000)
})

test('close finishes what is being committed', async () => {
  const directory = newDirectory()
  const queue = await open(directory)
  const committed = Promise.all(Array.from({ length: 50 }, () => enqueueSample(queue)))
  await Promise.resolve()
  const ids = await committed.catch(() => [])
  await queue.close()
  expect((await (await open(directory)).count({ and: [] })).get('all')).toBe(ids.length)
})

test('the log does not grow without end', async () => {
  const directory = newDirectory()
  const queue = await open(directory)
  for (let i = 0; i < 120; i++)
    await Promise.all(Array.from({ length: 10 }, () => enqueueSample(queue, sampleMessage(), 'x'.repeat(60_000))))
  expect(existsSync(`${layoutOf(directory).database}-wal`)).toBe(true)
  expect(statSync(`${layoutOf(directory).database}-wal`).size).toBeLessThan(60 * 1024 * 1024)
})

test('what operators ask does not wait for what is being committed', async () => {
  const queue = await open(newDirectory())
  const claims = await (async () => {
    const draft = queue.begin()
    return draft.commit(sampleMessage(), { owner: sampleOwner, leaseMs: 1000 })
  })()
  expect((await queue.list({ and: [] }, { limit: 5 })).rows.map(r => r.delivery)).toEqual(claims.map(c => c.delivery))
})
