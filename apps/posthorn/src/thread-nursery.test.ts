import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { keepThreadsSmall } from './thread-nursery.ts'

const fillsItsNursery = `
  const { getHeapSpaceStatistics } = require('node:v8')
  const kept = []
  for (let i = 0; i < 1e6; i++) kept[i % 2e5] = { i }
  const nursery = getHeapSpaceStatistics().find(space => space.space_name === 'new_space')
  require('node:worker_threads').parentPort.postMessage(nursery.space_size)
`

const nurseryOfThread = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const thread = new Worker(fillsItsNursery, { eval: true })
    thread.once('message', resolve)
    thread.once('error', reject)
  })

test('threads that begin later have a small nursery', async () => {
  const before = await nurseryOfThread()
  keepThreadsSmall()
  const after = await nurseryOfThread()
  expect(before).toBeGreaterThan(8 * 1024 * 1024)
  expect(after).toBeLessThanOrEqual(8 * 1024 * 1024)
})
