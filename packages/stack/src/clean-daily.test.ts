import { expect, test } from 'vitest'
import { manualClock } from '@posthorn/testkit'
import { cleanDaily } from './clean-daily.ts'

const day = 86_400_000

test('Maildirs are cleaned at once and each day, until it is ended, and what fails is told and tried again', async () => {
  const clock = manualClock()
  const errors: unknown[] = []
  let cleaned = 0
  const failing = { clean: () => Promise.reject(new Error('disk')) }
  const working = { clean: async () => ++cleaned }
  const end = cleanDaily([failing, working], { clock, onError: error => errors.push(error) })
  await clock.advance(0)
  expect(cleaned).toBe(1)
  await clock.advance(day)
  expect(cleaned).toBe(2)
  expect(errors).toHaveLength(2)
  end()
  await clock.advance(2 * day)
  expect(cleaned).toBe(2)
})
