import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { areFlags, changeFlags, flag, normaliseFlags } from './flags.ts'

test('flags stand in the order of ASCII, each once', () => {
  expect(normaliseFlags('aTSSFDaRP')).toBe('DFPRSTa')
})

test('normalising twice changes nothing more', () => {
  const letters = fc.string({ unit: fc.constantFrom(...'PRSTDFabcxyz'.split('')) })
  fc.assert(
    fc.property(letters, f => {
      expect(normaliseFlags(normaliseFlags(f))).toBe(normaliseFlags(f))
    }),
  )
  expect.hasAssertions()
})

test.each(['S,', '2', 'S/..', ':', 'é'])('%j are no flags', flags => {
  expect(areFlags(flags)).toBe(false)
  expect(() => normaliseFlags(flags)).toThrow(RangeError)
})

test('a change sets, then adds, then removes', () => {
  expect(changeFlags('RS', { add: flag.flagged, remove: flag.seen })).toBe('FR')
  expect(changeFlags('RS', { set: 'T', add: 'a' })).toBe('Ta')
  expect(changeFlags('S', { add: 'T', remove: 'T' })).toBe('S')
})

test('what other programs wrote there that is no letter goes at the next change', () => {
  expect(changeFlags('S,123', { add: 'F' })).toBe('FS')
})
