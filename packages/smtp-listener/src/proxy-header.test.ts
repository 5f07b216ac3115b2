import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readProxyHeader } from './proxy-header.ts'

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')
const text = (line: string): unknown => readProxyHeader(latin1(line))
const signature = '\r\n\r\n\0\r\nQUIT\n'
/** Version 2. */
const binary = (o: { command?: number; family?: number; length?: number; rest: readonly number[] }): Buffer =>
  Buffer.concat([
    latin1(signature),
    Buffer.from([
      o.command ?? 0x21,
      o.family ?? 0x11,
      (o.length ?? o.rest.length) >> 8,
      (o.length ?? o.rest.length) & 255,
    ]),
    Buffer.from(o.rest),
  ])
const tcp4 = [192, 0, 2, 1, 198, 51, 100, 2, 0x9c, 0x40, 0, 25]
const ends = { peer: { ip: '192.0.2.1', port: 40_000 }, local: { ip: '198.51.100.2', port: 25 } }

describe('version 1', () => {
  test('names both ends', () => {
    expect(text('PROXY TCP4 192.0.2.1 198.51.100.2 40000 25\r\nEHLO')).toEqual({ length: 44, ...ends })
    expect(text('PROXY TCP6 2001:db8::1 ::1 1 2\r\n')).toMatchObject({ peer: { ip: '2001:db8::1', port: 1 } })
  })
  test('may not know', () => {
    expect(text('PROXY UNKNOWN\r\n')).toEqual({ length: 15 })
    expect(text('PROXY UNKNOWN a b c\r\n')).toEqual({ length: 21 })
  })
  test('is waited for', () => {
    for (const begun of ['', 'P', 'PROXY', 'PROXY TCP4 192.0.2.1', 'PROXY TCP4 192.0.2.1 198.51.100.2 40000 25\r'])
      expect(text(begun)).toBeUndefined()
  })
  test.each([
    'EHLO a\r\n',
    'PROXY\r\n',
    'PROXYTCP4 192.0.2.1 198.51.100.2 1 2\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n',
    'PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n',
    'PROXY TCP4 ::1 ::1 1 2\r\n',
    'PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 -1 2\r\n',
    'PROXY TCP4 192.0.2.1  198.51.100.2 1 2\r\n',
    'PROXY TCP4 192.0.2.1\n198.51.100.2 1 2\r\n',
    'PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n',
    `PROXY UNKNOWN ${'x'.repeat(100)}\r\n`,
    'x'.repeat(200),
    `PROXY TCP4 ${'1'.repeat(200)}`,
  ])('row 30: %j is refused', line => expect(text(line)).toHaveProperty('fault'))
})

describe('version 2', () => {
  test('names both ends, whatever else it says', () => {
    expect(readProxyHeader(binary({ rest: tcp4 }))).toEqual({ length: 28, ...ends })
    expect(readProxyHeader(binary({ rest: [...tcp4, 1, 0, 2, 104, 50, 4, 0, 0] }))).toEqual({ length: 36, ...ends })
    const tcp6 = [0x20, 1, 0xd, 0xb8, ...Array<number>(11).fill(0), 1, ...Array<number>(15).fill(0), 1, 0, 1, 0, 25]
    expect(readProxyHeader(binary({ family: 0x21, rest: tcp6 }))).toMatchObject({
      peer: { ip: '2001:db8::1', port: 1 },
      local: { ip: '::1', port: 25 },
    })
  })
  test('may speak for the proxy itself', () => {
    expect(readProxyHeader(binary({ command: 0x20, family: 0, rest: [] }))).toEqual({ length: 16 })
    expect(readProxyHeader(binary({ family: 0, rest: [1, 2, 3] }))).toEqual({ length: 19 })
  })
  test('row 30: a bad version, command, family or length is refused', () => {
    for (const o of [
      { command: 0x11, rest: tcp4 },
      { command: 0x22, rest: tcp4 },
      { family: 0x12, rest: tcp4 },
      { family: 0x31, rest: tcp4 },
      { family: 0x21, rest: tcp4 },
      { rest: tcp4.slice(0, 11) },
      { length: 65_535, rest: tcp4 },
    ])
      expect(readProxyHeader(binary(o))).toHaveProperty('fault')
  })
  test('row 30: TLVs cut short are refused', () => {
    for (const tlv of [[1], [1, 0], [1, 0, 1], [1, 0, 2, 9], [1, 255, 255, 0], [1, 0, 0, 1]])
      expect(readProxyHeader(binary({ rest: [...tcp4, ...tlv] }))).toHaveProperty('fault')
  })
  test('is waited for, octet by octet', () => {
    const whole = binary({ rest: tcp4 })
    for (let length = 0; length < whole.length; length += 1)
      expect(readProxyHeader(whole.subarray(0, length))).toBeUndefined()
  })
})

test('nothing makes it throw', () => {
  const tail = fc.uint8Array({ maxLength: 100 })
  fc.assert(
    fc.property(fc.constantFrom('', 'PROXY ', 'PROXY TCP4 ', signature, `${signature}!`), tail, (head, bytes) => {
      const read = readProxyHeader(Buffer.concat([latin1(head), bytes]))
      expect(read === undefined || 'length' in read || 'fault' in read).toBe(true)
    }),
  )
})
