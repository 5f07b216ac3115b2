import { keyValueContract, queueContract } from '@posthorn/testkit'
import { describe, expect, test } from 'vitest'
import { owner } from './rig.ts'

describe('the queue contract, over a socket', () => {
  test.each(queueContract)('$name', async ({ run }) => {
    const o = await owner()
    const queue = await o.connect()
    const under = {
      queue,
      events: o.events,
      wall: () => o.clock.wall(),
      advance: (ms: number) => o.clock.advance(ms),
      reopen: async () => {
        await queue.close()
        await o.restart()
        return o.connect()
      },
    }
    await expect(run(under)).resolves.toBeUndefined()
  })
})

describe('the key-value contract, over a socket', () => {
  test.each(keyValueContract)('$name', async ({ run }) => {
    const o = await owner()
    const queue = await o.connect()
    const under = {
      one: queue.keyValue('one'),
      other: queue.keyValue('other'),
      advance: (ms: number) => o.clock.advance(ms),
    }
    await expect(run(under)).resolves.toBeUndefined()
  })
})
