import { encodeReply, reject } from '@posthorn/reply'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseEhlo, ReplyReader } from './index.ts'
import type { ReplyFault, ReplyLimits } from './index.ts'
import type { RemoteReply } from '@posthorn/reply'

const octets = (text: string): Uint8Array => Uint8Array.from(text, c => c.charCodeAt(0))

type Read = RemoteReply | ReplyFault
/** All that the reader makes of the chunks, a fault counted once. */
const readAll = (chunks: readonly string[], limits?: Partial<ReplyLimits>): readonly Read[] => {
  const reader = new ReplyReader(limits)
  const found: Read[] = []
  for (const chunk of chunks) {
    reader.push(octets(chunk))
    for (let next = reader.next(); next !== undefined; next = reader.next()) {
      found.push(next)
      if ('fault' in next) return found
    }
  }
  return found
}
const fault = [{ fault: expect.any(String) as string }]

describe('a reply from a peer', () => {
  test('of one line is its code and text', () => {
    expect(readAll(['220 mx.example ESMTP\r\n'])).toEqual([{ code: 220, lines: ['mx.example ESMTP'] }])
    expect(readAll(['354\r\n', '250 \r\n'])).toEqual([
      { code: 354, lines: [''] },
      { code: 250, lines: [''] },
    ])
  })

  test('of several lines is one reply, without the status that each line repeats', () => {
    expect(readAll(['550-5.7.1 No\r\n550-5.7.1\r\n550-and not 5.7.1\r\n550 5.7.1 Never\r\n'])).toEqual([
      { code: 550, enhanced: '5.7.1', lines: ['No', '', 'and not 5.7.1', 'Never'] },
    ])
  })

  test('keeps as text a status that contradicts its code, or is none', () => {
    expect(readAll(['550 2.1.5 ok?\r\n'])).toEqual([{ code: 550, lines: ['2.1.5 ok?'] }])
    expect(readAll(['250 2.1.5x\r\n'])).toEqual([{ code: 250, lines: ['2.1.5x'] }])
    expect(readAll(['250 2.1234.5 x\r\n'])).toEqual([{ code: 250, lines: ['2.1234.5 x'] }])
  })

  test('may end its lines in a bare LF, and may come with others in one chunk', () => {
    expect(readAll(['250-a\n250 b\n421 4.3.2 bye\r\n'])).toEqual([
      { code: 250, lines: ['a', 'b'] },
      { code: 421, enhanced: '4.3.2', lines: ['bye'] },
    ])
  })

  test('keeps octets above 127 as latin1', () => {
    expect(readAll(['550 \xc3\xa4\r\n'])).toEqual([{ code: 550, lines: ['\xc3\xa4'] }])
  })
})

describe('row 44: a peer that does not speak SMTP is a fault', () => {
  test('by its code', () => {
    for (const bad of ['999 x', '25 x', '2500 x', 'abc', '', ' 250 x', '150 x', '650 x', '260 x', '250x', 'SSH-2.0-x'])
      expect(readAll([`${bad}\r\n`])).toEqual(fault)
  })

  test('by lines that differ in their code', () => {
    expect(readAll(['250-a\r\n251 b\r\n'])).toEqual(fault)
    expect(readAll(['250-a\r\n550-b\r\n'])).toEqual(fault)
  })

  test('by an endless reply', () => {
    expect(readAll(Array.from({ length: 128 }, () => '250-x\r\n'))).toEqual(fault)
    expect(readAll(['250-a\r\n250-b\r\n250 c\r\n'], { lines: 3 })).toEqual([{ code: 250, lines: ['a', 'b', 'c'] }])
    expect(readAll(['250-a\r\n250-b\r\n250-c\r\n'], { lines: 3 })).toEqual(fault)
  })

  test('by an endless line, of which no more than the limit is kept', () => {
    const reader = new ReplyReader({ line: 512 })
    reader.push(octets(`220 ${'x'.repeat(507)}`))
    expect(reader.next()).toBeUndefined()
    expect(reader.pending).toBe(511)
    reader.push(octets('x'))
    expect(reader.next()).toEqual(fault[0])
    expect(reader.pending).toBe(0)
    expect(readAll([`220 ${'x'.repeat(506)}\r\n`], { line: 512 })).toHaveLength(1)
    expect(readAll([`220 ${'x'.repeat(506)}\r\n`], { line: 512 })).not.toEqual(fault)
    expect(readAll([`220 ${'x'.repeat(507)}\r\n`], { line: 512 })).toEqual(fault)
  })

  test('by a flood of replies that nobody reads', () => {
    const reader = new ReplyReader({ buffer: 1000 })
    for (let i = 0; i < 200; i++) reader.push(octets('250 ok\r\n'))
    expect(reader.next()).toEqual(fault[0])
  })

  test('for ever: what follows is not read', () => {
    const reader = new ReplyReader()
    reader.push(octets('999 x\r\n250 ok\r\n'))
    expect(reader.next()).toEqual(fault[0])
    reader.push(octets('250 ok\r\n'))
    expect(reader.next()).toEqual(fault[0])
    expect(reader.pending).toBe(0)
  })
})

test('row 18: what follows a reply in the same segment can be seen', () => {
  const reader = new ReplyReader()
  reader.push(octets('220 go\r\n250 injected\r\n'))
  expect(reader.next()).toEqual({ code: 220, lines: ['go'] })
  expect(reader.pending).toBe(14)
  expect(reader.midReply).toBe(true)
})

describe('for every input', () => {
  const text = fc.stringMatching(/^[ -~]{0,40}$/)
  const reply = fc
    .array(text, { minLength: 1, maxLength: 5 })
    .map(lines => encodeReply(reject(550, '5.7.1', ...(lines as [string]))))
  const noise = fc.string({ unit: fc.constantFrom('2', '5', '0', '-', ' ', '\r', '\n', 'x'), maxLength: 60 })
  const cut = (whole: string, places: readonly number[]): readonly string[] => {
    const at = [0, ...places.map(p => p % (whole.length + 1)).sort((a, b) => a - b), whole.length]
    return at.slice(1).map((end, i) => whole.slice(at[i], end))
  }

  test('any cutting of the octets gives the same replies', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(reply, noise), { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 12 }), (r, p) => {
        const whole = r.join('')
        expect(readAll(cut(whole, p))).toEqual(readAll([whole]))
        expect(readAll(Array.from(whole))).toEqual(readAll([whole]))
      }),
    )
  })

  test('what the server side encodes is read back', () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 5 }), lines => {
        const encoded = encodeReply(reject(550, '5.7.1', ...(lines as [string])))
        expect(readAll([encoded])).toEqual([{ code: 550, enhanced: '5.7.1', lines }])
      }),
    )
  })
})

describe('an EHLO reply', () => {
  const ehlo = (...lines: string[]): ReadonlyMap<string, readonly string[]> =>
    parseEhlo({ code: 250, lines: ['mx.example greets you', ...lines] })

  test('gives its keywords in capitals, with their parameters', () => {
    expect([...ehlo('PIPELINING', 'size 1000', 'AUTH PLAIN LOGIN', 'LIMITS RCPTMAX=20 MAILMAX=5')]).toEqual([
      ['PIPELINING', []],
      ['SIZE', ['1000']],
      ['AUTH', ['PLAIN', 'LOGIN']],
      ['LIMITS', ['RCPTMAX=20', 'MAILMAX=5']],
    ])
  })

  test('is read with the old form of AUTH, and without lines that are no keywords', () => {
    expect([...ehlo('AUTH=LOGIN', 'AUTH PLAIN', '', '*** STARTTLS', 'XXXXXXXA', 'DSN ')]).toEqual([
      ['AUTH', ['LOGIN', 'PLAIN']],
      ['XXXXXXXA', []],
      ['DSN', []],
    ])
  })

  test('does not take the greeting for a keyword', () => {
    expect([...parseEhlo({ code: 250, lines: ['STARTTLS'] })]).toEqual([])
  })
})
