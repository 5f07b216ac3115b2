import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { systemClock } from './clock.ts'
import { systemRandom } from './random.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('after calls once and can be cancelled', () => {
  const calls: string[] = []
  systemClock.after(10, () => calls.push('a'))
  const cancel = systemClock.after(10, () => calls.push('b'))
  cancel()
  vi.advanceTimersByTime(100)
  expect(calls).toEqual(['a'])
})

test('a wait longer than a timer can hold does not end at once', () => {
  const call = vi.fn()
  const month = 31 * 86_400_000
  systemClock.after(month, call)
  vi.advanceTimersByTime(month - 1)
  expect(call).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1)
  expect(call).toHaveBeenCalledTimes(1)
})

test('sleep ends in time, or with the reason of its signal', async () => {
  const asleep = systemClock.sleep(10)
  vi.advanceTimersByTime(10)
  await asleep
  const controller = new AbortController()
  const disturbed = systemClock.sleep(10, controller.signal)
  controller.abort(new Error('wake up'))
  await expect(disturbed).rejects.toThrow('wake up')
  await expect(systemClock.sleep(10, controller.signal)).rejects.toThrow('wake up')
  expect(vi.getTimerCount()).toBe(0)
})

test('a deadline aborts in time, with its parent, or not at all once cleared', () => {
  const timed = systemClock.deadline(10)
  vi.advanceTimersByTime(10)
  expect(timed.signal.reason).toMatchObject({ name: 'TimeoutError' })
  const parent = new AbortController()
  const child = systemClock.deadline(10, parent.signal)
  const cleared = systemClock.deadline(10, parent.signal)
  cleared.clear()
  parent.abort(new Error('stop'))
  expect(child.signal.reason).toMatchObject({ message: 'stop' })
  expect(cleared.signal.aborted).toBe(false)
  expect(systemClock.deadline(10, parent.signal).signal.aborted).toBe(true)
  expect(vi.getTimerCount()).toBe(0)
})

test('the monotonic time does not go back', () => {
  expect(systemClock.monotonic()).toBeLessThanOrEqual(systemClock.monotonic())
})

test('random numbers stay in their range', () => {
  for (let i = 0; i < 100; i++) expect([0, 1, 2]).toContain(systemRandom.int(3))
  expect(systemRandom.bytes(16)).toHaveLength(16)
  expect(systemRandom.next()).toBeLessThan(1)
})
