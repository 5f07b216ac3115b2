import { seededRandom } from '@posthorn/testkit'
import { describe, expect, it } from 'vitest'
import { defaultRetry, retryDelay, siteDelay } from './schedule.ts'

const even = { ...defaultRetry, jitter: [1, 1] as const }
const random = seededRandom(1)

describe('retryDelay', () => {
  it('starts at five minutes and doubles with the attempts up to 4000 seconds', () => {
    const delays = [1, 2, 3, 4, 5, 6].map(attempts => retryDelay(even, { age: 0, attempts }, random) / 1000)
    expect(delays).toEqual([300, 600, 1200, 2400, 4000, 4000])
  })
  it('is as long as the message is old, within the same bounds', () => {
    const delays = [1, 400, 2000, 90_000].map(age => retryDelay(even, { age: age * 1000, attempts: 1 }, random) / 1000)
    expect(delays).toEqual([300, 400, 2000, 4000])
  })
  it('spreads between 0.8 and 1.2 of that', () => {
    const delays = Array.from({ length: 500 }, () => retryDelay(defaultRetry, { age: 0, attempts: 1 }, random) / 1000)
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(240)
    expect(Math.max(...delays)).toBeLessThanOrEqual(360)
    expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(100)
  })
  it('stays finite after any number of attempts', () => {
    expect(retryDelay(even, { age: 0, attempts: 1e9 }, random)).toBe(even.maxMs)
  })
  it('grows for a site with its pauses', () => {
    expect([1, 2, 9].map(times => siteDelay(even, times, random) / 1000)).toEqual([300, 600, 4000])
  })
})
