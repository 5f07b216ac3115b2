import { expect, test } from 'vitest'
import { manualClock } from '@posthorn/testkit'
import { Heartbeat } from './heartbeat.ts'

const watch = () => {
  const clock = manualClock()
  const told: string[] = []
  const heartbeat: Heartbeat = new Heartbeat({
    clock,
    silenceMs: 30_000,
    ask: () => told.push('asked'),
    silent: () => told.push('silent'),
  })
  return { clock, told, heartbeat }
}
const asked = (times: number): readonly string[] => Array.from({ length: times }, () => 'asked')

test('who answers is asked for ever', async () => {
  const { clock, told, heartbeat } = watch()
  for (let i = 0; i < 100; i++) {
    await clock.advance(5_000)
    heartbeat.heard()
  }
  expect(told).toEqual(asked(100))
})

test('who answers nothing any more is silent after a while, which is said once', async () => {
  const { clock, told, heartbeat } = watch()
  await clock.advance(25_000)
  heartbeat.heard()
  await clock.advance(34_999)
  expect(told).toEqual(asked(5 + 6))
  await clock.advance(1)
  expect(told).toEqual([...asked(11), 'silent'])
  await clock.advance(600_000)
  expect(told).toHaveLength(12)
})

test('nobody is called silent because we were held up ourselves: time alone says nothing', async () => {
  const { clock, told, heartbeat } = watch()
  await clock.advance(5_000)
  clock.setWall(clock.wall() + 3_600_000)
  await clock.advance(5_000)
  heartbeat.heard()
  await clock.advance(5_000)
  expect(told).toEqual(asked(3))
})

test('who has ended is asked nothing', async () => {
  const { clock, told, heartbeat } = watch()
  heartbeat.stop()
  await clock.advance(600_000)
  expect(told).toEqual([])
})
