import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as everything from './index.ts'
import {
  accept,
  banner,
  challenge,
  chunkReceived,
  defer,
  ehlo,
  encodeReply,
  helo,
  isDefer,
  isReject,
  isReply,
  noSuchMailbox,
  queuedAs,
  reject,
  startMailInput,
} from './index.ts'

const values: readonly unknown[] = Object.values(everything)
const catalogue = values.filter(x => isReply(x))

describe('a reply', () => {
  test('on the wire has code and status on every line, and hyphens on all but the last', () => {
    expect(encodeReply(noSuchMailbox)).toBe('550 5.1.1 No such mailbox\r\n')
    expect(encodeReply(defer(451, '4.7.1', 'one', 'two', 'three'))).toBe(
      '451-4.7.1 one\r\n451-4.7.1 two\r\n451 4.7.1 three\r\n',
    )
  })

  test('cannot be made of a code and a status that disagree', () => {
    expect(() => reject(450 as 550, '5.1.1', 'x')).toThrow(RangeError)
    expect(() => reject(550, '4.1.1' as '5.1.1', 'x')).toThrow(RangeError)
    expect(() => defer(451, '4.1' as '4.1.1', 'x')).toThrow(RangeError)
    expect(() => accept(250, '2.0.0000', 'x')).toThrow(RangeError)
  })

  test('cannot carry what would end a line, hide in a log or overflow it', () => {
    for (const bad of ['a\r\nb', 'a\nb', 'a\rb', 'a\0b', 'ä', '\u001b[31m', 'x'.repeat(491)])
      expect(() => reject(550, '5.7.1', bad)).toThrow(RangeError)
    expect(() => reject(550, '5.7.1', ...([] as unknown as [string]))).toThrow(RangeError)
    expect(() => queuedAs('a\r\n250 b')).toThrow(RangeError)
  })

  test('cannot be changed, and a look-alike is none', () => {
    expect(Object.isFrozen(noSuchMailbox)).toBe(true)
    expect(Object.isFrozen(noSuchMailbox.lines)).toBe(true)
    expect([{ ...noSuchMailbox }, null, undefined, '550 5.1.1', 550].filter(x => isReply(x))).toEqual([])
    expect([isReject(noSuchMailbox), isDefer(noSuchMailbox), isReply(noSuchMailbox)]).toEqual([true, false, true])
  })

  test('of any words that may be said stays within 512 octets a line', () => {
    const text = fc.stringMatching(/^[\x20-\x7e]{0,490}$/)
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 4 }), lines => {
        const encoded = encodeReply(reject(550, '5.7.1', ...(lines as [string])))
        const split = encoded.split('\r\n')
        expect(split.pop()).toBe('')
        expect(split.map(line => line.slice(10))).toEqual(lines)
        expect(split.every((line, i) => line[3] === (i === lines.length - 1 ? ' ' : '-'))).toBe(true)
        expect(split.every(line => line.length + 2 <= 512)).toBe(true)
      }),
    )
  })
})

describe('the catalogue', () => {
  test('holds replies of every class, none of them twice', () => {
    expect(new Set(catalogue.map(r => r.class))).toEqual(new Set([2, 4, 5]))
    const texts = catalogue.map(r => encodeReply(r))
    expect(texts.filter((text, i) => texts.indexOf(text) !== i)).toEqual([])
  })

  test('says what went wrong with us as something temporary', () => {
    const ours = [everything.localError, everything.policyFailure, everything.insufficientStorage, everything.tooBusy]
    expect(ours.map(r => r.class)).toEqual([4, 4, 4, 4])
  })

  test('names the message it took over, and the octets of a chunk', () => {
    expect(encodeReply(queuedAs('4k2j9'))).toBe('250 2.0.0 Ok: queued as 4k2j9\r\n')
    expect(encodeReply(chunkReceived(65536))).toBe('250 2.0.0 65536 octets received\r\n')
  })
})

describe('what has no enhanced status', () => {
  test('is the greeting, with the host name first', () => {
    expect(banner('mx.example.org')).toBe('220 mx.example.org ESMTP\r\n')
    expect(banner('mx.example.org', 'LMTP')).toBe('220 mx.example.org LMTP\r\n')
    expect(() => banner('mx\r\n')).toThrow(RangeError)
  })

  test('is the answer to EHLO, one keyword a line, and to HELO', () => {
    expect(ehlo('mx.example.org', ['PIPELINING', 'SIZE 1000'])).toBe(
      '250-mx.example.org\r\n250-PIPELINING\r\n250 SIZE 1000\r\n',
    )
    expect(ehlo('mx.example.org', [])).toBe('250 mx.example.org\r\n')
    expect(helo('mx.example.org')).toBe('250 mx.example.org\r\n')
    expect(() => ehlo('mx', ['A\r\nB'])).toThrow(RangeError)
  })

  test('is the go-ahead for DATA and a challenge of AUTH', () => {
    expect(startMailInput).toMatch(/^354 [ -~]+\r\n$/)
    expect(challenge('UGFzc3dvcmQ6')).toBe('334 UGFzc3dvcmQ6\r\n')
    expect(challenge()).toBe('334 \r\n')
    expect(() => challenge('a\r\n235')).toThrow(RangeError)
  })
})
