import { expect, test } from 'vitest'
import { createGroup } from './group.ts'

const gate = () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}

test('what is asked while one group is in flight shares the next', async () => {
  const sizes: number[] = []
  const { opened, open } = gate()
  const group = createGroup<number, number>(async items => {
    sizes.push(items.length)
    await opened
    return items
  }, 1)
  const first = group.submit(0)
  await Promise.resolve()
  await Promise.resolve()
  const rest = Array.from({ length: 40 }, (_, i) => group.submit(i + 1))
  open()
  expect(await Promise.all([first, ...rest])).toEqual(Array.from({ length: 41 }, (_, i) => i))
  expect(sizes).toEqual([1, 40])
  expect(group.stats).toEqual({ groups: 2, operations: 41 })
})

test('a group is bounded in number and in octets', async () => {
  const sizes: number[] = []
  const group = createGroup<number, number>(async items => {
    sizes.push(items.length)
    return items
  }, 1)
  await Promise.all(Array.from({ length: 600 }, (_, i) => group.submit(i)))
  await Promise.all(Array.from({ length: 4 }, (_, i) => group.submit(i, 5 * 1024 * 1024)))
  expect(sizes).toEqual([500, 100, 1, 1, 1, 1])
})

test('an error that is answered for one item fails that one, one that is thrown fails the group', async () => {
  const group = createGroup<number, number>(async items => {
    if (items.includes(9)) throw new Error('all')
    return items.map(i => (i === 1 ? new Error('one') : i))
  }, 1)
  const results = await Promise.allSettled([group.submit(0), group.submit(1)])
  expect(results.map(r => r.status)).toEqual(['fulfilled', 'rejected'])
  const failed = await Promise.allSettled([group.submit(8), group.submit(9)])
  expect(failed.map(r => r.status)).toEqual(['rejected', 'rejected'])
})

test('a closed group takes nothing, and what it had is done', async () => {
  const { opened, open } = gate()
  const group = createGroup<number, number>(async items => {
    await opened
    return items
  }, 2)
  const last = group.submit(1)
  const closing = group.close()
  await expect(group.submit(2)).rejects.toMatchObject({ name: 'StoreError' })
  open()
  await closing
  expect(await last).toBe(1)
})
