import { describe, expect, test } from 'vitest'
import * as fc from 'fast-check'
import { emptyHeaders, field, parseHeaders, renderHeaders, utf8, withFields } from './index.ts'
import type { Headers } from './index.ts'

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'))
const text = (b: Uint8Array): string => Buffer.from(b).toString('latin1')
const parse = (block: string): Headers => parseHeaders(bytes(block))
const printed = (h: Headers): string => text(renderHeaders(h))

describe('a header block', () => {
  test('gives values by name without regard to case, topmost first, unfolded', () => {
    const h = parse('Received: one\r\nSubject: a\r\n folded\r\n\tline \r\nRECEIVED:two\r\n\r\n')
    expect(h.all('received')).toEqual(['one', 'two'])
    expect(h.first('SUBJECT')).toBe('a folded\tline')
    expect(h.names()).toEqual(['received', 'subject', 'received'])
    expect(h.count('Received')).toBe(2)
    expect(h.first('To')).toBeUndefined()
    expect(h.fields.map(f => f.name)).toEqual(['Received', 'Subject', 'RECEIVED'])
  })

  test('decodes UTF-8 and replaces what is not', () => {
    expect(parseHeaders(utf8('Subject: grüße\r\n\r\n')).first('subject')).toBe('grüße')
    expect(parse('Subject: \xff\r\n\r\n').first('subject')).toBe('\ufffd')
  })

  test('keeps every byte of any block that has its empty line', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), noise => {
        const block = bytes(text(noise) + 'X: y\r\n\r\n')
        const h = parseHeaders(block)
        expect(text(renderHeaders(h))).toBe(text(block))
        expect(h.fields.map(f => text(f.raw)).join('') + '\r\n').toBe(text(block))
      }),
    )
  })

  test('keeps every byte of blocks made of awkward pieces', () => {
    const piece = fc.constantFrom('\r\n', '\n', '\r', ' ', '\t', ':', 'A', 'From', 'é', '\0')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), pieces => {
        const block = bytes(pieces.join(''))
        const rendered = text(renderHeaders(parseHeaders(block)))
        expect(rendered.startsWith(text(block))).toBe(true)
        expect(['', '\r\n', '\r\n\r\n']).toContain(rendered.slice(block.length))
        expect(/(^|\n)\r?\n$/.test(rendered)).toBe(true)
      }),
    )
  })

  test('gets its empty line when it had none', () => {
    expect(printed(parse('A: b\r\n'))).toBe('A: b\r\n\r\n')
    expect(printed(parse('A: b'))).toBe('A: b\r\n\r\n')
    expect(printed(parse(''))).toBe('\r\n')
    expect(printed(emptyHeaders)).toBe('\r\n')
  })

  test('row 38: a line without a colon, an impossible name and a leading-space first line are kept as nameless', () => {
    const h = parse(' lost\r\nno colon here\r\nbad name: x\r\n: none\r\nFrom: a@b\r\n\r\n')
    expect(h.names()).toEqual(['', '', '', '', 'from'])
    expect(h.count('')).toBe(4)
    expect(h.all('')).toEqual(['lost', 'no colon here', 'bad name: x', ': none'])
  })

  test('row 38: "From :" counts as a From', () => {
    const h = parse('From: a@b\r\nFrom \t: c@d\r\n\r\n')
    expect(h.all('from')).toEqual(['a@b', 'c@d'])
    expect(h.count('From')).toBe(2)
  })

  test('an empty line before the end hides nothing that follows', () => {
    const h = parse('A: b\r\n\r\nFrom: x@y\r\n\r\n')
    expect(h.names()).toEqual(['a', '', 'from'])
  })

  test('row 38: a hundred thousand headers, a million continuation lines and one long line cost linear time', () => {
    const many = parse('X-A: b\r\n'.repeat(100_000) + 'Last: z\r\n\r\n')
    const folded = parse('X: a\r\n' + ' b\r\n'.repeat(1_000_000) + 'Last: z\r\n\r\n')
    const long = parse(`${'x'.repeat(20_000_000)}\r\nLast: z\r\n\r\n`)
    const started = performance.now()
    for (const h of [many, folded, long]) {
      expect(h.first('last')).toBe('z')
      expect(printed(withFields(h, { remove: ['x-a', 'last'] })).length).toBeGreaterThan(0)
    }
    expect(many.count('x-a')).toBe(100_000)
    expect(performance.now() - started).toBeLessThan(3000)
  })
})

describe('an edit', () => {
  const h = parse('A: 1\r\nDrop: x\r\n y\r\nB:2\r\ndrop:z\r\n\r\n')

  test('prepends in order and leaves all other bytes', () => {
    const edited = withFields(h, { prepend: [field('X', 'one'), field('Y', 'two')] })
    expect(printed(edited)).toBe('X: one\r\nY: two\r\n' + printed(h))
    expect(edited.names().slice(0, 2)).toEqual(['x', 'y'])
  })

  test('removes every field of a name with its continuation lines', () => {
    expect(printed(withFields(h, { remove: ['DROP'] }))).toBe('A: 1\r\nB:2\r\n\r\n')
    expect(printed(withFields(h, { prepend: [field('Drop', 'new')], remove: ['drop'] }))).toBe(
      'Drop: new\r\nA: 1\r\nB:2\r\n\r\n',
    )
  })

  test('does not touch the block it began with', () => {
    withFields(h, { remove: ['a'] })
    expect(h.count('a')).toBe(1)
  })

  test('ends an unfinished last line before the empty line', () => {
    expect(printed(withFields(parse('A: b'), { prepend: [field('X', 'y')] }))).toBe('X: y\r\nA: b\r\n\r\n')
    expect(printed(withFields(parse('C: d\r\nA: b'), { remove: ['c'] }))).toBe('A: b\r\n\r\n')
  })

  test('takes headers of any maker', () => {
    const raw = bytes('A: b\r\n')
    const foreign: Headers = {
      fields: [{ name: 'A', raw }],
      all: () => ['b'],
      first: () => 'b',
      count: () => 1,
      names: () => ['a'],
    }
    expect(printed(withFields(foreign, { prepend: [field('X', 'y')] }))).toBe('X: y\r\nA: b\r\n\r\n')
  })
})
