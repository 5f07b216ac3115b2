import { expect, test } from 'vitest'
import { createGate } from './gate.ts'

const { signal } = new AbortController()

test('no more are inside than there are places, and who waits comes in order', async () => {
  const gate = createGate(2)
  const [first, second] = [await gate.enter(signal), await gate.enter(signal)]
  const order: number[] = []
  const third = gate.enter(signal).then(leave => (order.push(3), leave))
  const fourth = gate.enter(signal).then(leave => (order.push(4), leave))
  await Promise.resolve()
  expect(order).toEqual([])
  first()
  ;(await third)()
  ;(await fourth)()
  expect(order).toEqual([3, 4])
  second()
  // Both places are free again, and no third one came to be.
  await gate.enter(signal)
  await gate.enter(signal)
  const leaving = new AbortController()
  const waiting = gate.enter(leaving.signal)
  leaving.abort(new Error('full'))
  await expect(waiting).rejects.toThrow('full')
})
test('who is gone before entering does not enter', async () => {
  const gate = createGate(1)
  await expect(gate.enter(AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
  const leave = await gate.enter(signal)
  const leaving = new AbortController()
  const waiting = gate.enter(leaving.signal)
  leaving.abort(new Error('left'))
  await expect(waiting).rejects.toThrow('left')
  leave()
  await gate.enter(signal)
})
