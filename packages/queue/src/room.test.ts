import { manualClock } from '@posthorn/testkit'
import { expect, test } from 'vitest'
import { createRoom } from './room.ts'

const disk = (o: Partial<{ bavail: number; ffree: number; files: number }>): typeof state => ({ ...state, ...o })
const state = { bavail: 1000, bsize: 1024, ffree: 1e6, files: 1e6 }

test('a message must leave the floor free, and what is let in counts until the next look', async () => {
  const clock = manualClock()
  let looks = 0
  const room = createRoom('/', { floor: 512_000, clock, statfs: () => (looks++, disk({})) })
  expect([room.has(300_000), room.has(300_000), room.has(100_000)]).toEqual([true, false, true])
  expect(looks).toBe(1)
  await clock.advance(1000)
  expect([room.has(300_000), looks]).toEqual([true, 2])
})

test('row 48: a disk without inodes is full, one without a number of inodes is not', () => {
  const clock = manualClock()
  expect(createRoom('/', { floor: 0, clock, statfs: () => disk({ ffree: 10 }) }).has(1)).toBe(false)
  expect(createRoom('/', { floor: 0, clock, statfs: () => disk({ ffree: 0, files: 0 }) }).has(1)).toBe(true)
})

test('a disk that said it is full is believed for a second', async () => {
  const clock = manualClock()
  const room = createRoom('/', { floor: 0, clock, statfs: () => disk({}) })
  room.lost()
  expect(room.has(1)).toBe(false)
  await clock.advance(1000)
  expect(room.has(1)).toBe(true)
})
