import { parseMailbox } from '@posthorn/address'
import { expect, test } from 'vitest'
import { compileRights, isAddressPattern } from './rights.ts'

const may = (patterns: string[], address: string, delimiter = '+'): boolean => {
  const mailbox = parseMailbox(address)
  if (mailbox === undefined) throw new Error(address)
  return compileRights(patterns, delimiter).includes(mailbox)
}

test.each([
  ['alice@example.org', 'alice@example.org', true],
  ['alice@example.org', 'Alice@Example.ORG', true],
  ['alice@example.org', 'alice@example.net', false],
  ['alice@example.org', 'bob@example.org', false],
  ['alice@example.org', 'alice+news@example.org', true],
  ['alice@example.org', '+alice@example.org', false],
  ['alice@example.org', '"alice"@example.org', true],
  ['alice@example.org', 'bob%alice@example.org', false],
  ['*@example.org', 'anybody@example.org', true],
  ['*@example.org', 'anybody@sub.example.org', false],
  ['*@example.org', 'anybody@example.org.evil.example', false],
  ['*@bücher.example', 'x@xn--bcher-kva.example', true],
  ['*', 'anybody@anywhere.example', true],
])('%j lets its user send as %j: %j', (pattern, address, expected) => {
  expect(may([pattern], address)).toBe(expected)
})
test('without a delimiter details are other addresses', () => {
  expect(may(['alice@example.org'], 'alice+x@example.org', '')).toBe(false)
})
test('without patterns nothing is allowed', () => {
  expect(may([], 'alice@example.org')).toBe(false)
})
test('patterns are addresses, a whole domain, or everything', () => {
  expect(['a@b.example', '*@b.example', '*', '"x y"@b.example'].every(isAddressPattern)).toBe(true)
  expect(['', 'a', '@b', '*@', '*@b c', 'a*b@', 'a@b@c'].some(isAddressPattern)).toBe(false)
})
