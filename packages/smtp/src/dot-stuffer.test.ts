import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DotStuffer } from './index.ts'

const octets = (text: string): Uint8Array => Uint8Array.from(text, c => c.charCodeAt(0))
const text = (chunks: readonly Uint8Array[]): string => Buffer.concat(chunks).toString('latin1')

const stuff = (chunks: readonly string[]): { readonly wire: string; readonly bare: boolean } => {
  const stuffer = new DotStuffer()
  const pushed = chunks.flatMap(chunk => stuffer.push(octets(chunk)))
  const wire = text([...pushed, stuffer.end()])
  return { wire, bare: stuffer.bare }
}
/** A receiver that goes by RFC 5321 §4.1.1.4 and §4.5.2 alone. */
const unstuff = (wire: string): string | undefined => {
  if (wire === '.\r\n') return ''
  const end = wire.indexOf('\r\n.\r\n')
  if (end !== wire.length - 5) return undefined
  return `${wire.slice(0, end)}\r\n`
    .split('\r\n')
    .map(line => (line.startsWith('.') ? line.slice(1) : line))
    .join('\r\n')
}

describe('dot stuffing', () => {
  test('doubles a dot at the start of a line and no other', () => {
    expect(stuff(['.a\r\n..\r\nb.c\r\n.\r\n'])).toEqual({ wire: '..a\r\n...\r\nb.c\r\n..\r\n.\r\n', bare: false })
  })

  test('ends the last line if it must, and adds no empty one', () => {
    expect(stuff(['a']).wire).toBe('a\r\n.\r\n')
    expect(stuff(['a\r\n']).wire).toBe('a\r\n.\r\n')
    expect(stuff([]).wire).toBe('.\r\n')
    expect(stuff(['']).wire).toBe('.\r\n')
    expect(stuff(['a\r\n\r\n']).wire).toBe('a\r\n\r\n.\r\n')
  })

  test('row 13: sees a line start across any cut', () => {
    expect(stuff(Array.from('a\r\n.\r\n.b')).wire).toBe('a\r\n..\r\n..b\r\n.\r\n')
  })

  test('rows 1 to 8: tells of a CR or LF that stands alone, wherever the cut is', () => {
    const bare = ['\n.\n', '\n.\r\n', '\r\n.\n', '\r.\r', '\r.\n', '\n.\r', '\r.\r\n', '\r\n.\r', '\r\r\n', 'a\r', '\r']
    expect(bare.filter(b => !stuff([`a${b}b`]).bare && !stuff([b]).bare)).toEqual([])
    expect(bare.filter(b => stuff(Array.from(`a${b}b`)).bare !== stuff([`a${b}b`]).bare)).toEqual([])
    expect(stuff(['a\r\n.\r\n.\r\n\r\n']).bare).toBe(false)
  })

  test('passes a chunk on uncopied when no line begins with a dot', () => {
    const chunk = octets('a.b\r\nc...\r\n')
    expect(new DotStuffer().push(chunk)[0]).toBe(chunk)
    expect(new DotStuffer().push(new Uint8Array(0))).toEqual([])
  })

  test('row 14: a megabyte of lines that begin with dots costs a few copies, not one a line', () => {
    const dense = octets('..\r\n'.repeat(1 << 18))
    const out = new DotStuffer().push(dense)
    expect(out).toHaveLength(1)
    expect(out[0]).toHaveLength(dense.length + (1 << 18))
  })

  test('is undone by every receiver that goes by the standard, for any content in any cut', () => {
    const piece = fc.constantFrom('.', '..', '\r\n', 'a', '\r\n.', '.\r\n', '\r\n.\r\n', 'text', '\0')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), fc.boolean(), (pieces, whole) => {
        const content = pieces.join('')
        const { wire, bare } = stuff(whole ? [content] : pieces)
        expect(bare).toBe(false)
        expect(unstuff(wire)).toBe(content === '' || content.endsWith('\r\n') ? content : `${content}\r\n`)
      }),
    )
  })
})
