import { expect, test } from 'vitest'
import { Input } from './input.ts'
import type { Line } from './input.ts'

const lines = (text: string, cut: number): Line[] => {
  const input = new Input(20, 100)
  const got: Line[] = []
  for (let at = 0; at < text.length; at += cut) {
    input.add(Buffer.from(text.slice(at, at + cut), 'latin1'))
    for (let line = input.line(); line !== undefined; line = input.line()) got.push(line)
  }
  return got
}

test.each([1, 2, 3, 50])('lines end at CR LF, in pieces of %i', cut => {
  expect(lines('NOOP\r\n\r\nA\rB\r\nC', cut)).toEqual([{ text: 'NOOP' }, { text: '' }, { text: 'A\rB' }])
})

test.each([1, 7, 50])('a bare LF is a fault and what follows is a line of its own, in pieces of %i', cut => {
  expect(lines('A\nB\r\n', cut)).toEqual([{ fault: 'bare-lf' }, { text: 'B' }])
})

test.each([1, 7, 64])('a line that is too long is skipped and the next is read, in pieces of %i', cut => {
  expect(lines(`${'x'.repeat(60)}\r\nNOOP\r\n`, cut)).toEqual([{ fault: 'too-long' }, { text: 'NOOP' }])
})

test.each([1, 7, 64])('a line that never ends is endless, in pieces of %i', cut => {
  expect(lines('x'.repeat(200), cut)[0]).toEqual({ fault: 'endless' })
})

test('what is held counts, and goes when it was read', () => {
  const input = new Input(20, 100)
  for (let i = 0; i < 100; i += 1) input.add(Buffer.from('x'))
  expect(input.held).toBeGreaterThan(100)
  while (input.line() !== undefined) continue
  expect([input.held, input.waiting]).toEqual([0, false])
  input.add(Buffer.from('more'))
  input.clear()
  expect([input.held, input.waiting, input.line()]).toEqual([0, false, undefined])
  input.add(Buffer.from('NOOP\r\n'))
  expect(input.line()).toEqual({ text: 'NOOP' })
})
