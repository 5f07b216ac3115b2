import { formatMailbox } from '@posthorn/address'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addressesOf } from './from.ts'

const read = (value: string): readonly string[] | undefined => addressesOf(value)?.map(formatMailbox)

describe('addresses are found', () => {
  test.each([
    ['alice@example.org', ['alice@example.org']],
    ['Alice <alice@example.org>', ['alice@example.org']],
    ['"Smith, Alice" <alice@example.org>', ['alice@example.org']],
    ['"a\\"b <bob@evil.example>" <alice@example.org>', ['alice@example.org']],
    ['alice@example.org (Alice (the \\) first))', ['alice@example.org']],
    ['(x) Alice (y) <alice@example.org> (z)', ['alice@example.org']],
    ['=?utf-8?q?=C3=84?= <alice@example.org>', ['alice@example.org']],
    ['Zoë <zoë@example.org>', ['zoë@example.org']],
    ['"john doe"@example.org', ['"john doe"@example.org']],
    ['a@x.example, B <b@x.example>,, c@x.example', ['a@x.example', 'b@x.example', 'c@x.example']],
    ['Team: a@x.example, B <b@x.example>;', ['a@x.example', 'b@x.example']],
    ['<@relay.example,@other.example:alice@example.org>', ['alice@example.org']],
    ['alice@[192.0.2.1]', ['alice@[192.0.2.1]']],
    ['alice@[IPv6:2001:db8::1]', ['alice@[IPv6:2001:db8::1]']],
    ['J. R. Hacker <j@x.example>', ['j@x.example']],
  ])('in %j', (value, expected) => {
    expect(read(value)).toEqual(expected)
  })
})
describe('row 38: what could be read in two ways is not read at all', () => {
  test.each([
    '',
    ' ',
    ',',
    '<>',
    'Alice',
    'alice@example.org bob@example.org',
    'bob@evil.example <alice@example.org>',
    '<bob@evil.example> <alice@example.org>',
    '<alice@example.org> bob@evil.example',
    '<alice@example.org>bob',
    'undisclosed:;',
    'Team: a@x.example',
    'Team: a: b@x.example;',
    'alice@example.org;',
    '"alice@example.org',
    '(alice@example.org',
    'alice@example.org)',
    '<alice@example.org',
    'alice@example.org>',
    'alice @ example.org',
    'a\0b <alice@example.org>',
    'a\rb <alice@example.org>',
    `${'('.repeat(100)}${')'.repeat(100)}alice@example.org`,
    Array.from({ length: 101 }, () => 'a@x.example').join(','),
  ])('%j', value => {
    expect(read(value)).toBeUndefined()
  })
})
test('no text makes it throw, and long ones take no time', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'ab@<>(),:;"\\[]. é\t'.split('')), maxLength: 60 }), value => {
      const found = addressesOf(value)
      expect(found === undefined || found.length > 0).toBe(true)
    }),
    { numRuns: 3000 },
  )
  for (const piece of ['(', '"', '<', '[', 'a,', '(a)', '\\'])
    expect(addressesOf(piece.repeat(200_000))).toBeUndefined()
})
