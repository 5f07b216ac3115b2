import { memoryQueue } from '@posthorn/queue'
import {
  claimSample,
  enqueueSample,
  failureOf,
  faultyQueue,
  manualClock,
  sampleMessage,
  seededRandom,
} from '@posthorn/testkit'
import { expect, test } from 'vitest'

const inner = (): ReturnType<typeof memoryQueue> => memoryQueue({ clock: manualClock(), random: seededRandom(1) })

test('the n-th call of a kind fails and keeps nothing; those before and after it work', async () => {
  const queue = faultyQueue(inner(), [{ call: 'commit', at: 2, full: true }])
  await enqueueSample(queue)
  expect(await failureOf(() => enqueueSample(queue))).toMatchObject({ name: 'StoreError', full: true })
  await enqueueSample(queue)
  expect(await claimSample(queue)).toHaveLength(2)
  expect(queue.calls.get('commit')).toBe(3)
})

test('a fault afterwards loses only the answer', async () => {
  const queue = faultyQueue(inner(), [{ call: 'commit', at: 1, afterwards: true }])
  expect(await failureOf(() => enqueueSample(queue))).toMatchObject({ name: 'StoreError', full: false })
  expect(await claimSample(queue)).toHaveLength(1)
})

test('a fault may last for several calls, and begin fails by throwing', async () => {
  const queue = faultyQueue(inner(), [{ call: 'begin', at: 1, times: 2 }])
  for (let i = 0; i < 2; i++) expect(await failureOf(() => queue.begin())).toMatchObject({ name: 'StoreError' })
  await queue.begin().commit(sampleMessage())
})
