import { expect, test } from 'vitest'
import { manualClock } from '@posthorn/testkit'
import { Deadline } from './deadline.ts'

test('passes once, at its latest setting', async () => {
  const clock = manualClock()
  let passed = 0
  const deadline = new Deadline(clock, () => (passed += 1))
  deadline.set(100)
  await clock.advance(60)
  deadline.set(160)
  await clock.advance(99)
  expect(passed).toBe(0)
  await clock.advance(1)
  expect(passed).toBe(1)
  await clock.advance(1000)
  expect(passed).toBe(1)
})

test('comes nearer when told so', async () => {
  const clock = manualClock()
  let passed = 0
  const deadline = new Deadline(clock, () => (passed += 1))
  deadline.set(1000)
  deadline.set(10)
  await clock.advance(10)
  expect(passed).toBe(1)
})

test('moving it away touches no timer, and clearing it leaves none', async () => {
  const clock = manualClock()
  const deadline = new Deadline(clock, () => {})
  for (let i = 0; i < 1000; i += 1) deadline.set(1000 + i)
  expect(clock.pending).toBe(1)
  deadline.clear()
  expect(clock.pending).toBe(0)
})
