import { expect, test } from 'vitest'
import { parseAge, whereOf } from './filter.ts'

test.each([
  ['90', 90_000],
  ['10s', 10_000],
  ['30m', 1_800_000],
  ['2h', 7_200_000],
  ['5d', 432_000_000],
  ['1w', 604_800_000],
  ['', undefined],
  ['-5', undefined],
  ['5y', undefined],
  ['1h30m', undefined],
])('the age %j is %s ms', (text, ms) => {
  expect(parseAge(text)).toBe(ms)
})

test('values never become part of the statement', () => {
  const { sql, values } = whereOf({ and: [{ field: 'site', op: '~', value: `x' or 1` }] }, 0)
  expect(sql).not.toContain('or 1')
  expect(values).toEqual([`%x' or 1%`])
})

test('a filter of too many terms is refused', () => {
  const and = Array.from({ length: 51 }, () => ({ field: 'site', op: '=', value: 'x' }) as const)
  expect(() => whereOf({ and }, 0)).toThrow(RangeError)
})
