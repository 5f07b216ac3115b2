import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { passLines } from './whole-lines.ts'

/** Takes lines; `full` lets it say so until it is drained. */
const taker = () => {
  const taken: string[] = []
  const drains: (() => void)[] = []
  const state = { full: false }
  return {
    taken,
    state,
    drain: () => {
      state.full = false
      for (const call of drains.splice(0)) call()
    },
    stream: {
      write: (text: string) => {
        taken.push(text)
        return !state.full
      },
      once: (_event: 'drain', call: () => void) => drains.push(call),
    },
  }
}
const ended = (stream: PassThrough): Promise<void> => new Promise(resolve => stream.end(() => setImmediate(resolve)))

test('lines pass whole, however they are cut and whatever comes between them', async () => {
  const { stream, taken } = taker()
  const [one, two] = [new PassThrough(), new PassThrough()]
  passLines(one, stream)
  passLines(two, stream)
  one.write('{"a":')
  two.write('{"b":2}\n{"c"')
  one.write('1}\n')
  two.write(Buffer.from(':"ö'.slice(0, 2)))
  two.write(Buffer.from([0xc3]))
  two.write(Buffer.from([0xb6, 0x22, 0x7d, 0x0a]))
  await Promise.all([ended(one), ended(two)])
  expect(taken.toSorted()).toEqual(['{"a":1}\n', '{"b":2}\n', '{"c":"ö"}\n'])
})

test('what a killed process left of a line gets an end, and a line without an end is let out in parts', async () => {
  const { stream, taken } = taker()
  const one = new PassThrough()
  passLines(one, stream)
  for (let i = 0; i < 48; i++) one.write('x'.repeat(64 * 1024))
  one.write('half')
  await ended(one)
  expect(taken.every(text => text.endsWith('\n') && text.length < 2 << 20)).toBe(true)
  expect(taken.join('').replaceAll('\n', '')).toBe(`${'x'.repeat(3 << 20)}half`)
})

test('who is full is given no more until it is drained', async () => {
  const { stream, taken, state, drain } = taker()
  const one = new PassThrough()
  passLines(one, stream)
  state.full = true
  one.write('1\n')
  await new Promise(resolve => setImmediate(resolve))
  one.write('2\n')
  await new Promise(resolve => setImmediate(resolve))
  expect(taken).toEqual(['1\n'])
  drain()
  await ended(one)
  expect(taken).toEqual(['1\n', '2\n'])
})
