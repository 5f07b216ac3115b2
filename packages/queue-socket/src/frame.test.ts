import { expect, test } from 'vitest'
import { encodeFrame, FrameReader } from './frame.ts'

const text = (octets: Uint8Array): string => Buffer.from(octets).toString('latin1')
const frames = [
  encodeFrame('ask', 1, { method: 'put', name: 'jörg' }, [Buffer.from('head'), Buffer.from('body')]),
  encodeFrame('wake', 0),
  encodeFrame('chunk', 0xffffffff, undefined, [Buffer.alloc(10_000, 97)]),
]
const octets = Buffer.concat(frames.flat())
const expected = [
  ['ask', 1, { method: 'put', name: 'jörg' }, 'headbody'],
  ['wake', 0, undefined, ''],
  ['chunk', 0xffffffff, undefined, 'a'.repeat(10_000)],
]

test.each([1, 3, 13, 1000, 1e9])('frames come out as they went in when they come in pieces of %i octets', size => {
  const reader = new FrameReader()
  const got: unknown[] = []
  for (let at = 0; at < octets.byteLength; at += size)
    for (const f of reader.push(octets.subarray(at, at + size))) got.push([f.kind, f.id, f.about, text(f.octets)])
  expect(got).toEqual(expected)
})

test('a frame that would be too long is not made', () => {
  expect(() => encodeFrame('ask', 1, {}, [Buffer.alloc(33 * 1024 * 1024)])).toThrow(
    new RangeError('a frame of 34603023 octets; at most 33554432 are sent at once'),
  )
})

test.each(['00000000', '7fffffff', '0000000963', '000000090200000001000000ff'])(
  'octets that begin with %s are no frame',
  hex => {
    expect(() => new FrameReader().push(Buffer.concat([Buffer.from(hex, 'hex'), Buffer.alloc(20)]))).toThrow(
      expect.objectContaining({ name: 'FrameError' }),
    )
  },
)
