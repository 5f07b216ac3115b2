import { seededRandom } from '@posthorn/testkit'
import { describe, expect, it } from 'vitest'
import { defaultRetry, hintedDelay, retryDelay, siteDelay } from './schedule.ts'

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

describe('hintedDelay', () => {
  const seconds = (o: { hint?: number; attempts?: number; age?: number }): number =>
    hintedDelay(even, { age: 0, attempts: 1, ...o, hint: o.hint && o.hint * 1000 }, random) / 1000

  it('is what the peer said, longer or shorter than ours', () => {
    expect([seconds({ hint: 900 }), seconds({ hint: 120 }), seconds({})]).toEqual([900, 120, 300])
  })
  it('is never under a minute and never over the longest pause, whatever the peer says', () => {
    expect([seconds({ hint: 1 }), seconds({ hint: 999_999 })]).toEqual([60, 4000])
  })
  it('is shortened five times and no more, so that a peer does not make us come every minute for days', () => {
    expect([5, 6].map(attempts => seconds({ hint: 120, attempts }))).toEqual([120, 4000])
    expect(seconds({ hint: 4000, attempts: 9, age: 400_000 })).toBe(4000)
  })
  it('is never sooner than the peer said', () => {
    const delays = Array.from({ length: 500 }, () =>
      hintedDelay(defaultRetry, { age: 0, attempts: 1, hint: 600_000 }, random),
    )
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(600_000)
    expect(Math.max(...delays)).toBeGreaterThan(660_000)
  })
})
