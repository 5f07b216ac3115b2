import { describe, expect, test } from 'vitest'
import { breakages } from './broken.ts'
import { runSeed } from './run.ts'

describe('whole mail systems under virtual time', () => {
  test('the same seed gives the same log, line by line', { timeout: 60_000 }, async () => {
    const [first, second] = [await runSeed(4), await runSeed(4)]
    expect(first.log.length).toBeGreaterThan(100)
    expect(second.log).toEqual(first.log)
  })

  test('another seed is another story', { timeout: 60_000 }, async () => {
    expect((await runSeed(5)).log).not.toEqual((await runSeed(6)).log)
  })

  test('every recipient that was answered 250 comes to exactly one end', { timeout: 120_000 }, async () => {
    let [accepted, crashes] = [0, 0]
    for (let seed = 1; seed <= 10; seed++) {
      const run = await runSeed(seed)
      expect(run.breaches, `seed ${seed}`).toEqual([])
      accepted += run.accepted
      crashes += run.crashes
    }
    expect(accepted).toBeGreaterThan(100)
    expect(crashes).toBeGreaterThan(5)
  })
})

describe('the law', () => {
  test.each([
    ['in which a lease is not fenced', breakages.unfenced, /without an excuse/],
    ['that settles before it delivers', breakages['settled-first'], /is lost/],
    ['that answers before it has stored', breakages.early, /is lost/],
  ])('catches a queue %s', { timeout: 240_000 }, async (_what, breakage, breach) => {
    let found: readonly string[] = []
    for (let seed = 1; seed <= 100 && found.length === 0; seed++) found = (await runSeed(seed, breakage)).breaches
    expect(found.join('\n')).toMatch(breach)
  })
})
