import { expect, test } from 'vitest'
import { HeldLog } from './held-log.ts'

const stream = (takes = true) => {
  const written: string[] = []
  const drains: (() => void)[] = []
  return {
    written,
    drains,
    write: (text: string): boolean => (written.push(text), takes),
    once: (_event: 'drain', call: () => void): unknown => drains.push(call),
    on: (): unknown => undefined,
  }
}

test('lines are kept until they are let out, in their order, and go straight through from then on', () => {
  const to = stream()
  const held = new HeldLog(to)
  held.write('one\n')
  held.write('two\n')
  expect(to.written).toEqual([])
  held.release()
  held.release()
  held.write('three\n')
  expect(to.written).toEqual(['one\ntwo\n', 'three\n'])
})

test('a writer of very much is told to wait, and to go on when the lines were taken', () => {
  const to = stream()
  const held = new HeldLog(to)
  expect(held.write('x'.repeat(1 << 20))).toBe(false)
  let drained = 0
  held.once('drain', () => drained++)
  held.release()
  expect(drained).toBe(1)
})

test('a writer who waits goes on waiting while the stream itself is behind', () => {
  const to = stream(false)
  const held = new HeldLog(to)
  held.write('x'.repeat(1 << 20))
  let drained = 0
  held.once('drain', () => drained++)
  held.release()
  expect(drained).toBe(0)
  for (const call of to.drains) call()
  expect(drained).toBe(1)
})
