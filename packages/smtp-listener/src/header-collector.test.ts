import { expect, test } from 'vitest'
import { HeaderCollector } from './header-collector.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1')
const text = (octets: Uint8Array): string => Buffer.from(octets).toString('latin1')

const collect = (content: string, cut: number): { block: string; rest: string } | undefined => {
  const collector = new HeaderCollector()
  for (let at = 0; at < content.length; at += cut) {
    const done = collector.add(bytes(content.slice(at, at + cut)))
    if (done !== undefined) return { block: text(done.block), rest: text(done.rest) + content.slice(at + cut) }
  }
  return undefined
}

test.each([1, 2, 3, 4, 5, 7, 1000])('the block ends at its empty line, in pieces of %i', cut => {
  expect(collect('A: b\r\nC: d\r\n\r\nbody\r\n\r\n', cut)).toEqual({
    block: 'A: b\r\nC: d\r\n\r\n',
    rest: 'body\r\n\r\n',
  })
  expect(collect('\r\nbody', cut)).toEqual({ block: '\r\n', rest: 'body' })
  expect(collect('A: b\r\nbody\r\n', cut)).toBeUndefined()
})

test('a block that is there at once is not copied', () => {
  const content = bytes('A: b\r\n\r\nbody')
  expect(new HeaderCollector().add(content)?.block.buffer).toBe(content.buffer)
})

test('a megabyte in single octets is linear work', () => {
  const collector = new HeaderCollector()
  const octet = bytes('x')
  const began = performance.now()
  for (let i = 0; i < 1_048_576; i += 1) collector.add(octet)
  expect(performance.now() - began).toBeLessThan(3000)
  expect(collector.size).toBe(1_048_576)
})
