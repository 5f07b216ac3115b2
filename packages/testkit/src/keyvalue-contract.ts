import { failureOf, same } from './check.ts'
import type { ContractCase, KeyValueUnderTest } from './queue-contract.ts'

/** What every implementation of `KeyValue` must do; use as `queueContract`. */
export const keyValueContract: readonly ContractCase<KeyValueUnderTest>[] = [
  {
    name: 'a value is kept in its name-space until its lifetime ends',
    run: async ({ one, other, advance }) => {
      await one.set('k', { a: [1, null, 'ü'] }, 1000)
      same(
        [await one.get('k'), await other.get('k'), await one.get('x')],
        [{ a: [1, null, 'ü'] }, undefined, undefined],
      )
      await advance(999)
      same(await one.get('k'), { a: [1, null, 'ü'] })
      await advance(1)
      same(await one.get('k'), undefined)
    },
  },
  {
    name: 'a null is a value',
    run: async ({ one }) => {
      await one.set('k', null, 1000)
      same([await one.get('k'), await one.swap('k', undefined, 1, 1000)], [null, false])
    },
  },
  {
    name: 'a sum grows under concurrent additions and lives from the first of them',
    run: async ({ one, advance }) => {
      const sums = await Promise.all([one.add('n', 1, 1000), one.add('n', 2, 1000), one.add('n', 3, 1000)])
      same(Math.max(...sums), 6)
      await advance(900)
      same(await one.add('n', 1, 1000), 7)
      await advance(100)
      same(await one.add('n', 1, 1000), 1)
    },
  },
  {
    name: 'of two that swap the same old value one succeeds',
    run: async ({ one }) => {
      const won = await Promise.all([one.swap('k', undefined, 'a', 1000), one.swap('k', undefined, 'b', 1000)])
      same(won.filter(Boolean).length, 1)
      same(await one.swap('k', { x: 1 }, 'c', 1000), false)
      await one.set('k', { x: 1, y: [2] }, 1000)
      same(await one.swap('k', { y: [2], x: 1 }, 'c', 1000), true)
      same(await one.get('k'), 'c')
    },
  },
  {
    name: 'a swap sees an ended value as absent',
    run: async ({ one, advance }) => {
      await one.set('k', 1, 10)
      await advance(10)
      same(await one.swap('k', undefined, 2, 10), true)
    },
  },
  {
    name: 'a deleted value is gone',
    run: async ({ one }) => {
      await one.set('k', 1, 1000)
      await one.delete('k')
      same(await one.get('k'), undefined)
    },
  },
  {
    name: 'a key without a lifetime is refused',
    run: async ({ one }) => {
      for (const ttl of [0, -1, Number.NaN])
        same((await failureOf(() => one.set('k', 1, ttl))) instanceof RangeError, true)
    },
  },
]
