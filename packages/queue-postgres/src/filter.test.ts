import { expect, test } from 'vitest'
import { whereOf } from './filter.ts'

test('values never become part of the statement, and follow those that stand before them', () => {
  const value = `x' or 1=1 --`
  const { sql, values } = whereOf(
    {
      and: [
        { field: 'site', op: '~', value },
        { field: 'size', op: '>', value: '2k' },
      ],
    },
    0,
    2,
  )
  expect(sql).not.toContain('1=1')
  expect(sql).toContain('$3')
  expect(sql).toContain('$4')
  expect(values).toEqual([`%${value}%`, 2048])
})

test('only a star is a pattern', () => {
  expect(whereOf({ and: [{ field: 'rcpt', op: '~', value: '100%_\\*' }] }, 0, 0).values).toEqual(['100\\%\\_\\\\%'])
})
