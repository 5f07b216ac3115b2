import { claimSample, enqueueSample, manualClock, sampleMessage, seededRandom } from '@posthorn/testkit'
import { expect, test } from 'vitest'
import { memoryDisk, memoryQueue } from './index.ts'

test('a crash keeps what was committed and nothing else; the dead queue answers no more', async () => {
  const clock = manualClock()
  const disk = memoryDisk()
  const random = seededRandom(1)
  const queue = memoryQueue({ clock, random, disk })
  const kept = await enqueueSample(queue)
  let answered = false
  const lost = enqueueSample(queue, sampleMessage(), 'lost').then(() => {
    answered = true
  })
  disk.crash()
  const next = memoryQueue({ clock, random, disk })
  expect((await claimSample(next)).map(c => c.id)).toEqual([kept])
  await clock.advance(1000)
  expect(answered).toBe(false)
  void lost
})

test('commits of one moment share a transaction, and the next gather while it runs', async () => {
  const queue = memoryQueue({ clock: manualClock(), random: seededRandom(1) })
  await Promise.all(Array.from({ length: 1000 }, () => enqueueSample(queue)))
  expect(queue.stats.operations).toBe(1000)
  expect(queue.stats.groups).toBeLessThan(5)
})
