import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keyValueContract, manualClock, queueContract, seededRandom } from '@posthorn/testkit'
import type { ManualClock } from '@posthorn/testkit'
import { afterEach, describe, expect, test } from 'vitest'
import { memoryDisk, memoryQueue, openQueue } from './index.ts'
import type { EmbeddedQueue } from './index.ts'

const cleaners: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const clean of cleaners.splice(0)) await clean()
})

const open = { memory, sqlite } as const

async function memory(clock: ManualClock): Promise<() => Promise<EmbeddedQueue>> {
  const disk = memoryDisk()
  const random = seededRandom(1)
  return async () => memoryQueue({ clock, random, disk })
}
async function sqlite(clock: ManualClock): Promise<() => Promise<EmbeddedQueue>> {
  const directory = mkdtempSync(join(tmpdir(), 'queue-'))
  const random = seededRandom(1)
  cleaners.push(async () => rmSync(directory, { recursive: true }))
  return async () => {
    const queue = await openQueue({ directory, clock, random, sync: false, floorBytes: 0 })
    cleaners.unshift(() => queue.close())
    return queue
  }
}

describe.each(['memory', 'sqlite'] as const)('the queue contract, %s', kind => {
  test.each(queueContract)('$name', async ({ run }) => {
    const clock = manualClock()
    const reopen = await open[kind](clock)
    const queue = await reopen()
    const under = {
      queue,
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
    const queue = await (await open[kind](clock))()
    const under = {
      one: queue.keyValue('one'),
      other: queue.keyValue('other'),
      advance: (ms: number) => clock.advance(ms),
    }
    await expect(run(under)).resolves.toBeUndefined()
  })
})
