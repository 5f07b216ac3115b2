import { describe, expect, test } from 'vitest'
import * as fc from 'fast-check'
import { field, parseHeaders } from './index.ts'

const raw = (f: { raw: Uint8Array }): string => Buffer.from(f.raw).toString()

describe('a field', () => {
  test('is name, colon, value, CRLF', () => {
    expect(raw(field('Subject', ' hello '))).toBe('Subject: hello\r\n')
    expect(raw(field('Subject', ''))).toBe('Subject:\r\n')
  })

  test('is folded at white space before column 78, and unfolds to the same value', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', ';', '=', '"'), minLength: 1, maxLength: 60 })
    const gap = fc.constantFrom(' ', '  ', '\t')
    fc.assert(
      fc.property(fc.array(fc.tuple(word, gap), { minLength: 1, maxLength: 40 }), words => {
        const value = words.flat().join('').trim()
        const f = field('X-Test', value)
        expect(parseHeaders(f.raw).first('x-test')).toBe(value)
        for (const line of raw(f).split('\r\n')) expect(line.length).toBeLessThanOrEqual(78)
        for (const line of raw(f).split('\r\n').slice(1, -1)) expect(line.trim()).not.toBe('')
      }),
    )
  })

  test('refuses line ends and controls in the value, so that no second field can be smuggled in', () => {
    for (const value of ['a\r\nBcc: x@y', 'a\nb', 'a\rb', 'a\0b', '\r\n', 'a\r\n b', '\x7f'])
      expect(() => field('X', value)).toThrow(RangeError)
  })

  test('refuses impossible names', () => {
    for (const name of ['', 'A B', 'A:', 'A\r\nB', 'Ä', 'x'.repeat(77)])
      expect(() => field(name, 'v')).toThrow(RangeError)
  })

  test('refuses a word that would make a line of more than 998 octets', () => {
    expect(() => field('X', 'a'.repeat(999))).toThrow(RangeError)
    expect(raw(field('X', 'a'.repeat(990))).length).toBe(995)
  })

  test('makes encoded words of other characters, within 75 characters each, splitting no character', () => {
    expect(raw(field('Subject', 'plain grüße an alle'))).toBe('Subject: plain =?UTF-8?B?Z3LDvMOfZQ==?= an alle\r\n')
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 }), noise => {
        const value = `é${noise.replaceAll(/[\p{C}\p{Z}=?]/gu, '.')}é`
        const words = raw(field('S', value)).slice(3).trim().split(/\s+/)
        let back = ''
        for (const word of words) {
          expect(word.length).toBeLessThanOrEqual(75)
          const [, data] = /^=\?UTF-8\?B\?([A-Za-z0-9+/]+=*)\?=$/.exec(word) ?? []
          const part = Buffer.from(data ?? '', 'base64').toString()
          expect(part).not.toContain('\ufffd')
          back += part
        }
        expect(back).toBe(value)
      }),
    )
  })

  test('keeps the space between two words that are both encoded', () => {
    const [, data] = /\?B\?(.*)\?=/.exec(raw(field('S', 'é è'))) ?? []
    expect(Buffer.from(data ?? '', 'base64').toString()).toBe('é è')
  })

  test('stays UTF-8 for an SMTPUTF8 message', () => {
    expect(raw(field('Subject', 'grüße', { utf8: true }))).toBe('Subject: grüße\r\n')
  })
})
