import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { xtextDecode, xtextEncode } from './index.ts'

test('xtext hides what is not printable, the plus and the equals sign', () => {
  expect(xtextEncode('a+b=c d\r\n~!\x7f\xff')).toBe('a+2Bb+3Dc+20d+0D+0A~!+7F+FF')
  expect(xtextDecode('a+2Bb+3Dc+20d+0D+0A~!+7F+FF')).toBe('a+b=c d\r\n~!\x7f\xff')
  expect(() => xtextEncode('\u0100')).toThrow(RangeError)
})

test('what is not xtext does not decode', () => {
  for (const bad of ['+', '+2', '+2b', '+zz', 'a b', 'a=b', 'ä', 'a\n', '++2B', '+2B+'])
    expect(xtextDecode(bad)).toBeUndefined()
})

test('decoding what was encoded gives the input back', () => {
  const octet = fc.integer({ min: 0, max: 255 }).map(n => String.fromCharCode(n))
  fc.assert(
    fc.property(fc.string({ unit: octet }), text => {
      expect(xtextEncode(text)).toMatch(/^[!-~]*$/)
      expect(xtextDecode(xtextEncode(text))).toBe(text)
    }),
  )
})
