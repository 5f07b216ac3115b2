import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DotStuffer, LineEnds } from './index.ts'

const octets = (text: string): Uint8Array => Uint8Array.from(text, c => c.charCodeAt(0))

const looked = (chunks: readonly string[]): { readonly bare: boolean; readonly complete: boolean } => {
  const ends = new LineEnds()
  for (const chunk of chunks) ends.push(octets(chunk))
  ends.end()
  return { bare: ends.bare, complete: ends.complete }
}

describe('line ends', () => {
  test('are well where every CR has its LF, and tell of a last line without one', () => {
    expect(looked(['a\r\n\r\n.\r\nb\r\n'])).toEqual({ bare: false, complete: true })
    expect(looked(['a\r\nb'])).toEqual({ bare: false, complete: false })
    expect(looked([])).toEqual({ bare: false, complete: true })
    expect(looked(['', ''])).toEqual({ bare: false, complete: true })
  })

  test('rows 1 to 8: tell of a CR or LF that stands alone, wherever the cut is', () => {
    const bare = [
      '\n.\n',
      '\n.\r\n',
      '\r\n.\n',
      '\r.\r',
      '\r.\n',
      '\n.\r',
      '\r.\r\n',
      '\r\n.\r',
      '\r\r\n',
      'a\r',
      '\r',
      '\n',
    ]
    expect(bare.filter(b => !looked([`a${b}b`]).bare || !looked([b]).bare)).toEqual([])
    expect(bare.filter(b => !looked(Array.from(`a${b}b`)).bare)).toEqual([])
  })

  test('agree with what makes content fit for DATA, for any content in any cut', () => {
    const piece = fc.constantFrom('.', '\r\n', 'a', '\r', '\n', '\r\n.', '\0', '\t', 'text')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.boolean(), (pieces, whole) => {
        const stuffer = new DotStuffer()
        stuffer.push(octets(pieces.join('')))
        stuffer.end()
        expect(looked(whole ? [pieces.join('')] : pieces).bare).toBe(stuffer.bare)
      }),
    )
  })
})
