import { expect, test } from 'vitest'
import * as fc from 'fast-check'
import { headerEnd } from './index.ts'

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'))

test('the body begins after the first CRLFCRLF, or after an empty first line', () => {
  expect(headerEnd(bytes('A: b\r\n\r\nbody\r\n\r\n'))).toBe(8)
  expect(headerEnd(bytes('\r\nbody'))).toBe(2)
  expect(headerEnd(bytes('\r\n\r\nbody'))).toBe(2)
  expect(headerEnd(bytes('A: b\r\n'))).toBe(-1)
  expect(headerEnd(bytes(''))).toBe(-1)
})

test('bare line ends do not end the header', () => {
  for (const end of ['\n\n', '\r\r', '\n\r\n', '\r\n\n', '\r\n\r', '\r\r\n\n'])
    expect(headerEnd(bytes(`A: b${end}c`))).toBe(-1)
})

test('the skipping search agrees with the plain one', () => {
  const piece = fc.constantFrom('\r', '\n', '\r\n', 'a', 'bcd')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), pieces => {
      const text = pieces.join('')
      const plain = text.startsWith('\r\n') ? 2 : text.indexOf('\r\n\r\n') === -1 ? -1 : text.indexOf('\r\n\r\n') + 4
      expect(headerEnd(bytes(text))).toBe(plain)
    }),
    { numRuns: 500 },
  )
})

test('a search resumed at any place where the end was not yet seen finds the same end', () => {
  const block = bytes('Subject: x\r\nTo: a@b\r\n\r\nbody')
  const end = headerEnd(block)
  for (let seen = 0; seen < end; seen += 1) {
    expect(headerEnd(block.subarray(0, seen))).toBe(-1)
    expect(headerEnd(block, seen)).toBe(end)
  }
})

test('an empty first line that comes in two pieces is seen', () => {
  expect(headerEnd(bytes('\r'))).toBe(-1)
  expect(headerEnd(bytes('\r\n'), 1)).toBe(2)
})
