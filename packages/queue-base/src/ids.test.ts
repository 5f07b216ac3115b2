import { manualClock, seededRandom } from '@posthorn/testkit'
import { expect, test } from 'vitest'
import { createIds, formatId, keyAt, parseId } from './ids.ts'

test('keys grow within a millisecond, with the clock, and when the clock jumps back by a day (row 48)', async () => {
  const clock = manualClock()
  const ids = createIds(clock, seededRandom(1))
  const keys = [ids.take(1), ids.take(5000), ids.take(1)]
  await clock.advance(100)
  keys.push(ids.take(1))
  clock.setWall(clock.wall() - 86_400_000)
  keys.push(ids.take(1))
  expect([...keys].sort((a, b) => a - b)).toEqual(keys)
  expect(new Set(keys).size).toBe(5)
  expect((keys[2] ?? 0) - (keys[1] ?? 0)).toBe(5000)
})

test('no key is given that an earlier run may have given', () => {
  const clock = manualClock()
  const ids = createIds(clock, seededRandom(1))
  const old = keyAt(clock.wall()) + 1e9
  ids.skipTo(old)
  expect(ids.take(1)).toBe(old + 1)
})

test('an id prints and parses, and sorts as its key does', () => {
  const keys = [0, 1, 31, 32, 4096, keyAt(Date.UTC(2026, 10, 1)), Number.MAX_SAFE_INTEGER]
  const ids = keys.map(key => formatId(key, 0xabcde))
  expect([...ids].sort()).toEqual(ids)
  expect(ids.map(id => parseId(id))).toEqual(keys.map(key => ({ key, nonce: 0xabcde })))
})

test.each(['', 'short', '../../etc/passwd', 'ZZZZZZZZZZZZZZZ', '00000000000000i', '0000000000000000'])(
  'row 35: %j is no id',
  text => {
    expect(parseId(text)).toBeUndefined()
  },
)
