import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Journal } from '@posthorn/contracts'
import { keyValueContract, manualClock, queueContract, queueOutageCases, seededRandom } from '@posthorn/testkit'
import type { ManualClock } from '@posthorn/testkit'
import { afterEach, describe, expect, test } from 'vitest'
import { memoryDisk, memoryQueue, openQueue } from './index.ts'
import type { EmbeddedQueue } from './index.ts'

const cleaners: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const clean of cleaners.splice(0)) await clean()
})

type Events = { readonly name: string; readonly fields: { readonly [k: string]: unknown } }[]
const journalOf = (events: Events): Journal => ({
  event: (name, fields) => {
    // Fields without a value are left out of a line, too.
    events.push({ name, fields: JSON.parse(JSON.stringify(fields)) as { readonly [k: string]: unknown } })
  },
  child: () => journalOf(events),
})

const open = { memory, sqlite } as const

async function memory(clock: ManualClock, journal: Journal): Promise<() => Promise<EmbeddedQueue>> {
  const disk = memoryDisk()
  const random = seededRandom(1)
  return async () => memoryQueue({ clock, random, disk, journal })
}
async function sqlite(clock: ManualClock, journal: Journal): Promise<() => Promise<EmbeddedQueue>> {
  const directory = mkdtempSync(join(tmpdir(), 'queue-'))
  const random = seededRandom(1)
  cleaners.push(async () => rmSync(directory, { recursive: true }))
  return async () => {
    const queue = await openQueue({ directory, clock, random, journal, sync: false, floorBytes: 0 })
    cleaners.unshift(() => queue.close())
    return queue
  }
}

describe.each(['memory', 'sqlite'] as const)('the queue contract, %s', kind => {
  test.each(queueContract)('$name', async ({ run }) => {
    const clock = manualClock()
    const events: Events = []
    const reopen = await open[kind](clock, journalOf(events))
    const queue = await reopen()
    const under = {
      queue,
      events,
      wall: () => clock.wall(),
      advance: (ms: number) => clock.advance(ms),
      reopen: async () => {
        await queue.close()
        return reopen()
      },
    }
    await expect(run(under)).resolves.toBeUndefined()
  })
})

describe.each(['memory', 'sqlite'] as const)('the key-value contract, %s', kind => {
  test.each(keyValueContract)('$name', async ({ run }) => {
    const clock = manualClock()
    const queue = await (await open[kind](clock, journalOf([])))()
    const under = {
      one: queue.keyValue('one'),
      other: queue.keyValue('other'),
      advance: (ms: number) => clock.advance(ms),
    }
    await expect(run(under)).resolves.toBeUndefined()
  })
})

// A file below a real server that fails: test/crash/server-faults.test.ts.
describe('the queue contract in outages, memory', () => {
  test.each(queueOutageCases)('$name', async ({ run }) => {
    const disk = memoryDisk()
    const queue = memoryQueue({ clock: manualClock(), random: seededRandom(1), disk })
    const set = async (away: boolean): Promise<void> => {
      disk.away = away
    }
    await expect(run({ queue, away: () => set(true), back: () => set(false) })).resolves.toBeUndefined()
  })
})

describe.each(['statement', 'commit'])(
  'the queue contract in outages, sqlite whose disk fails at every %s',
  failsAt => {
    test.each(queueOutageCases)('row 47: $name', ({ name }) => {
      const directory = mkdtempSync(join(tmpdir(), 'queue-'))
      cleaners.push(async () => rmSync(directory, { recursive: true }))
      const disk = fileURLToPath(new URL('../test/failing-disk.ts', import.meta.url))
      const outage = fileURLToPath(new URL('../test/outage.ts', import.meta.url))
      // Of its own process, since only the threads of a process that was begun so have such a disk.
      const args = ['--import', disk, '-C', '@posthorn/source', outage, join(directory, 'state'), name]
      const env = { ...process.env, DISK_AWAY: join(directory, 'away'), DISK_FAILS_AT: failsAt }
      const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8', timeout: 18_000 })
      expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' })
    })
  },
)
