import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createNames, formatName, messageBase, parseName } from './name.ts'

const source = {
  host: 'mx.example.org',
  pid: 42,
  now: () => 1_767_225_600_123.5,
  random: () => Uint8Array.of(1, 2, 3, 255),
}

describe('names of files', () => {
  test('a delivered message is named by time, process, count, chance and host, as the specification says', () => {
    const names = createNames(source)
    expect(names.next()).toBe('1767225600.M123500P42Q0R010203ff.mx.example.org')
    expect(names.next()).toBe('1767225600.M123500P42Q1R010203ff.mx.example.org')
  })

  test('names stay unique when the clock goes back by a day and the process number comes again', () => {
    const made = new Set<string>()
    for (const [day, chance] of [
      [2, 1],
      [1, 2],
      [2, 3],
    ] as const) {
      const names = createNames({ ...source, now: () => day * 86_400_000, random: () => Uint8Array.of(chance) })
      for (let i = 0; i < 100; i++) made.add(names.next())
    }
    expect(made.size).toBe(300)
  })

  test.each([
    ['a/b:c,d', 'a\\057b\\072c\\054d'],
    ['h\u00f6st\n', 'h_st_'],
    ['', 'localhost'],
    ['x'.repeat(500), 'x'.repeat(120)],
  ])('a host that calls itself %j cannot break the name', (host, written) => {
    expect(
      createNames({ ...source, host })
        .next()
        .split('R010203ff.')[1],
    ).toBe(written)
  })

  test('every name that is taken apart is put together again unchanged', () => {
    expect.hasAssertions()
    const lenient = fc.string({
      unit: fc.constantFrom(...'0123456789.,:=SWMPQRa2,FS-é'.split('')),
      minLength: 1,
      maxLength: 40,
    })
    fc.assert(
      fc.property(fc.oneof(lenient, fc.string({ maxLength: 300 })), file => {
        const name = parseName(file)
        expect(name === undefined ? file : formatName(name)).toBe(file)
      }),
    )
  })

  test('sizes and flags that are put into a name come out of it', () => {
    const flags = fc.uniqueArray(fc.constantFrom(...'DFPRSTabz'.split(''))).map(f => f.sort().join(''))
    const size = fc.option(fc.nat({ max: 2 ** 40 }), { nil: undefined })
    fc.assert(
      fc.property(size, size, fc.option(flags, { nil: undefined }), (bytes, virtual, letters) => {
        const base = messageBase(createNames(source).next(), {
          ...(bytes === undefined ? {} : { size: bytes }),
          ...(virtual === undefined ? {} : { virtualSize: virtual }),
        })
        const name = parseName(formatName({ base, ...(letters === undefined ? {} : { info: `2,${letters}` }) }))
        expect(name).toMatchObject({ base, time: 1767225600, flags: letters ?? '' })
        expect(name?.size).toBe(bytes)
        expect(name?.virtualSize).toBe(virtual)
      }),
    )
  })

  test.each(['', '.', '..', '.hidden', 'a/b', '../x', 'a\0b', 'a\nb', ':2,S', 'x'.repeat(256)])(
    '%j is not the name of a message',
    file => {
      expect(parseName(file)).toBeUndefined()
    },
  )

  test('names of other programs are read: foreign fields, no time, experimental info', () => {
    expect(parseName('1204680122.27c448.host,S=12,X=9,W=14:2,RSa')).toMatchObject({
      size: 12,
      virtualSize: 14,
      flags: 'RSa',
    })
    expect(parseName('draft')).toEqual({ base: 'draft', flags: '' })
    expect(parseName('5.a.b:1,zz')).toEqual({ base: '5.a.b', info: '1,zz', flags: '', time: 5 })
  })

  test('a size that no number holds is no size', () => {
    expect(parseName('1.a.b,S=9999999999999999')?.size).toBeUndefined()
    expect(parseName('1.a.b,S=12x')?.size).toBeUndefined()
  })
})
