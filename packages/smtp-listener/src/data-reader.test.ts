import { expect, test } from 'vitest'
import * as fc from 'fast-check'
import { DataReader } from './data-reader.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1')

interface Read {
  readonly content: string
  readonly rest: string | undefined
  readonly fault: string | undefined
}

/** What follows `DATA`, cut into chunks of that length. */
const read = (text: string, cut: number = text.length): Read => {
  const reader = new DataReader()
  let content = ''
  for (let at = 0; at < text.length; at += cut) {
    const chunk = bytes(text.slice(at, at + cut))
    const end = reader.push(chunk, 0)
    content += Buffer.from(reader.content).toString('latin1')
    if (end !== -1) return { content, rest: text.slice(at + end), fault: reader.fault }
  }
  return { content, rest: undefined, fault: reader.fault }
}

const cuts = [1, 2, 3, 5, 64, 100_000]

test.each(cuts)('dots are taken off and the end is found, in chunks of %i', cut => {
  expect(read('a: b\r\n\r\n..x\r\n...\r\n.y\r\nz.\r\n.\r\nQUIT\r\n', cut)).toEqual({
    content: 'a: b\r\n\r\n.x\r\n..\r\ny\r\nz.\r\n',
    rest: 'QUIT\r\n',
    fault: undefined,
  })
})

test.each(cuts)('an empty message is empty, in chunks of %i', cut => {
  expect(read('.\r\nRSET\r\n', cut)).toEqual({ content: '', rest: 'RSET\r\n', fault: undefined })
})

const rows: readonly (readonly [number, string, string, string])[] = [
  [1, 'LF . LF', '\n.\n', 'bare-lf'],
  [2, 'LF . CRLF', '\n.\r\n', 'bare-lf'],
  [3, 'CRLF . LF', '\r\n.\n', 'bare-lf'],
  [4, 'CR . CR', '\r.\r', 'bare-cr'],
  [5, 'CR . LF', '\r.\n', 'bare-cr'],
  [6, 'LF . CR', '\n.\r', 'bare-lf'],
  [7, 'CR . CRLF', '\r.\r\n', 'bare-cr'],
  [8, 'CRLF . CR', '\r\n.\r', 'bare-cr'],
  [9, 'CRLF NUL . CRLF', '\r\n\0.\r\n', 'nul'],
  [10, 'CRLF . NUL CRLF', '\r\n.\0\r\n', 'nul'],
  [11, 'CRLF . CR CRLF', '\r\n.\r\r\n', 'bare-cr'],
  [11, 'CR CRLF . CR CRLF', '\r\r\n.\r\r\n', 'bare-cr'],
]
for (const cut of cuts)
  test.each(rows)(`row %i: %s is no end of the message, in chunks of ${cut}`, (_row, _name, octets, fault) => {
    const got = read(`a: b\r\n\r\nx${octets}MAIL FROM:<evil@x>\r\n.\r\nQUIT\r\n`, cut)
    expect(got.rest).toBe('QUIT\r\n')
    expect(got.fault).toBe(fault)
  })

test('a chunk without dots at line starts is not copied', () => {
  const chunk = bytes('a: b\r\n\r\nsome text. with dots\r\n.\r\n')
  const reader = new DataReader()
  expect(reader.push(chunk, 0)).toBe(chunk.length)
  expect(reader.content.buffer).toBe(chunk.buffer)
})

test('the chunk itself is never changed', () => {
  const chunk = bytes('..a\r\n..b\r\n'.repeat(100) + '.\r\n')
  const before = Buffer.from(chunk)
  const reader = new DataReader()
  reader.push(chunk, 0)
  expect(Buffer.compare(chunk, before)).toBe(0)
  expect(reader.size).toBe(800)
})

test('stuffing and then reading gives back any text, however it is cut', () => {
  const line = fc.string({ unit: fc.constantFrom('.', 'a', '\xff', ' ') })
  fc.assert(
    fc.property(fc.array(line), fc.integer({ min: 1, max: 40 }), (lines, cut) => {
      const content = lines.map(l => `${l}\r\n`).join('')
      const stuffed = lines.map(l => `${l.startsWith('.') ? '.' : ''}${l}\r\n`).join('')
      expect(read(`${stuffed}.\r\nQUIT\r\n`, cut)).toEqual({ content, rest: 'QUIT\r\n', fault: undefined })
    }),
  )
})

test('any octets end at the first CRLF . CRLF and nowhere else', () => {
  const octet = fc.constantFrom('.', '\r', '\n', '\0', 'a')
  fc.assert(
    fc.property(fc.string({ unit: octet, maxLength: 60 }), fc.integer({ min: 1, max: 9 }), (text, cut) => {
      const end = `\r\n${text}`.indexOf('\r\n.\r\n')
      expect(read(text, cut).rest).toBe(end === -1 ? undefined : text.slice(end + 3))
    }),
    { numRuns: 2000 },
  )
})

const milliseconds = (run: () => void): number => {
  const began = performance.now()
  run()
  return performance.now() - began
}

test('a body of dots alone costs little more than any other: 1 MiB in a few milliseconds', () => {
  const dense = bytes('..\r\n'.repeat(262_144))
  const reader = new DataReader()
  const chunked = (): void => {
    for (let at = 0; at < dense.length; at += 65_536) reader.push(dense.subarray(at, at + 65_536), 0)
  }
  chunked()
  // Measured 3 to 6 ms; the bound leaves room for a machine that is busy.
  expect(Math.min(milliseconds(chunked), milliseconds(chunked), milliseconds(chunked))).toBeLessThan(60)
  expect(reader.size).toBe(4 * 786_432)
})

test('row 14: dots on every line, one octet a read, stay linear', () => {
  const reader = new DataReader()
  const text = bytes('..\r\n'.repeat(25_000))
  const one = (): void => {
    for (let at = 0; at < text.length; at += 1) reader.push(text.subarray(at, at + 1), 0)
  }
  expect(milliseconds(one)).toBeLessThan(1000)
  expect(reader.size).toBe(75_000)
})
