import { manualClock } from '@posthorn/testkit'
import { expect, test } from 'vitest'
import { createCache } from './cache.ts'

test('an entry ends when its time is over, and tells its age before', async () => {
  const clock = manualClock()
  const cache = createCache<string>(clock, 10, 100)
  cache.set('a', 'x', 60, 1)
  await clock.advance(59_999)
  expect(cache.get('a')).toEqual({ value: 'x', age: 59 })
  await clock.advance(1)
  expect(cache.get('a')).toBeUndefined()
  expect(cache.size).toBe(0)
})
test('a lifetime of 0 is not kept, and ends what was there', () => {
  const cache = createCache<string>(manualClock(), 10, 100)
  cache.set('a', 'x', 60, 1)
  cache.set('a', 'y', 0, 1)
  expect(cache.get('a')).toBeUndefined()
})
test('the oldest goes first, but what was asked for is spared, by number', () => {
  const cache = createCache<string>(manualClock(), 2, 100)
  cache.set('a', 'x', 60, 1)
  cache.set('b', 'x', 60, 1)
  cache.get('a')
  cache.set('c', 'x', 60, 1)
  expect(['a', 'b', 'c'].map(key => cache.get(key) !== undefined)).toEqual([true, false, true])
})
test('when all were asked for the oldest goes, and what is new stays', () => {
  const cache = createCache<string>(manualClock(), 2, 100)
  cache.set('a', 'x', 60, 1)
  cache.set('b', 'x', 60, 1)
  cache.get('a')
  cache.get('b')
  cache.set('c', 'x', 60, 1)
  expect(['a', 'b', 'c'].map(key => cache.get(key) !== undefined)).toEqual([false, true, true])
})
test('weight is bounded too, and what is heavier than all is not kept', () => {
  const cache = createCache<string>(manualClock(), 100, 10)
  cache.set('a', 'x', 60, 6)
  cache.set('b', 'x', 60, 6)
  cache.set('huge', 'x', 60, 11)
  expect(['a', 'b', 'huge'].map(key => cache.get(key) !== undefined)).toEqual([false, true, false])
  cache.set('b', 'x', 60, 2)
  cache.set('c', 'x', 60, 8)
  expect(cache.size).toBe(2)
})
