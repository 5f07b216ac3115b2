import { expect, test } from 'vitest'
import { systemRandom } from './random.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

test('octets are as many as asked for and come once, however many were taken before', () => {
  const seen = new Set<string>()
  for (let round = 0; round < 2000; round++)
    for (const length of [8, 13, 24]) {
      const bytes = systemRandom.bytes(length)
      expect(bytes).toHaveLength(length)
      seen.add(hex(bytes))
    }
  expect(seen.size).toBe(6000)
  for (const length of [0, 1, 256, 257, 4096, 100_000]) expect(systemRandom.bytes(length)).toHaveLength(length)
})
test('what was handed out is its owner’s: later octets do not change it', () => {
  const mine = systemRandom.bytes(32)
  const before = hex(mine)
  for (let i = 0; i < 1000; i++) systemRandom.bytes(32)
  expect(hex(mine)).toBe(before)
  expect(mine.buffer.byteLength).toBe(32)
})
