import { expect, test } from 'vitest'
import { whereOf } from './filter.ts'

test('values never become part of the statement', () => {
  const { sql, values } = whereOf({ and: [{ field: 'site', op: '~', value: `x' or 1` }] }, 0)
  expect(sql).not.toContain('or 1')
  expect(values).toEqual([`%x' or 1%`])
})

test('the message is looked up only where a filter asks about it', () => {
  const joins = (field: 'site' | 'sender' | 'reply' | 'tag'): boolean =>
    whereOf({ and: [{ field, op: '~', value: 'x' }] }, 0).joins
  expect([joins('site'), joins('reply'), joins('sender'), joins('tag')]).toEqual([false, false, true, true])
})
