import { expect, test } from 'vitest'
import { manualClock, seededRandom } from './clock.ts'

test('time stands still until it is moved, then calls come in the order of their due time', async () => {
  const clock = manualClock({ wall: 1000 })
  const seen: string[] = []
  clock.after(20, () => seen.push(`b ${clock.wall()}`))
  clock.after(10, () => {
    seen.push(`a ${clock.wall()}`)
    clock.after(5, () => seen.push(`nested ${clock.wall()}`))
  })
  await clock.advance(9)
  expect(seen).toEqual([])
  await clock.advance(11)
  expect(seen).toEqual(['a 1010', 'nested 1015', 'b 1020'])
  expect(clock.pending).toBe(0)
})

test('code that sleeps several times in one advance goes on each time', async () => {
  const clock = manualClock()
  const seen: number[] = []
  const loop = async (): Promise<void> => {
    for (let i = 0; i < 3; i++) {
      await clock.sleep(10)
      seen.push(clock.monotonic())
    }
  }
  const running = loop()
  await clock.advance(30)
  expect(seen).toEqual([10, 20, 30])
  await running
})

test('sleep rejects with the reason of an abort and leaves no timer', async () => {
  const clock = manualClock()
  const stop = new AbortController()
  const asleep = clock.sleep(10, stop.signal)
  stop.abort(new Error('enough'))
  await expect(asleep).rejects.toThrow('enough')
  await expect(clock.sleep(1, stop.signal)).rejects.toThrow('enough')
  expect(clock.pending).toBe(0)
})

test('a deadline aborts in time, with its parent, and not after it was cleared', async () => {
  const clock = manualClock()
  const late = clock.deadline(5)
  const cleared = clock.deadline(5)
  cleared.clear()
  const parent = new AbortController()
  const child = clock.deadline(50, parent.signal)
  await clock.advance(5)
  expect(late.signal.reason).toMatchObject({ name: 'TimeoutError' })
  expect(cleared.signal.aborted).toBe(false)
  parent.abort('gone')
  expect(child.signal.reason).toBe('gone')
  expect(clock.pending).toBe(0)
})

test('the wall can jump back while durations go on', async () => {
  const clock = manualClock({ wall: 90_000_000 })
  clock.setWall(3_600_000)
  await clock.advance(1)
  expect([clock.wall(), clock.monotonic()]).toEqual([3_600_001, 1])
})

test('advanceToNext says how far the next call was', async () => {
  const clock = manualClock()
  clock.after(42, () => {})
  expect(await clock.advanceToNext()).toBe(42)
  expect(await clock.advanceToNext()).toBeUndefined()
})

test('the same seed repeats, another does not, and numbers stay in range', () => {
  const draw = (seed: number): number[] => {
    const random = seededRandom(seed)
    return Array.from({ length: 20 }, () => random.int(1000))
  }
  expect(draw(7)).toEqual(draw(7))
  expect(draw(7)).not.toEqual(draw(8))
  expect(Math.max(...draw(9))).toBeLessThan(1000)
  expect(seededRandom(1).bytes(16)).toHaveLength(16)
})
