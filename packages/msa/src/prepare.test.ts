import { expect, test } from 'vitest'
import { prepareName, preparePassword } from './prepare.ts'

test('names have one spelling', () => {
  expect(prepareName('Alice')).toBe('alice')
  expect(prepareName('a-z_0.9+x@example.org')).toBe('a-z_0.9+x@example.org')
  expect(prepareName('a'.repeat(255))).toHaveLength(255)
  expect(prepareName('a'.repeat(256))).toBeUndefined()
  expect(prepareName('ＡＬＩＣＥ')).toBe('alice')
  expect(prepareName('Zo\u0065\u0308@Example.org')).toBe('zoë@example.org')
})
test.each([
  ['nothing', ''],
  ['row 32: CRLF', 'alice\r\nMAIL'],
  ['NUL', 'alice\0'],
  ['DEL', 'alice\x7f'],
  ['a space', 'a b'],
  ['a right-to-left override', 'alice\u202e'],
  ['a zero-width space', 'ali\u200bce'],
  ['a lone surrogate', 'a\ud800'],
  ['a path', '../root'],
  ['a backslash', 'a\\b'],
  ['a leading dot', '.alice'],
  ['too many octets', 'ä'.repeat(128)],
  ['a megabyte', 'a'.repeat(1_000_000)],
])('a name with %s is none', (_what, name) => {
  expect(prepareName(name)).toBeUndefined()
})
test('passwords are prepared as SASLprep says', () => {
  expect(preparePassword('p\u00adw')).toBe('pw')
  expect(preparePassword('a\u00a0b\u3000c')).toBe('a b c')
  expect(preparePassword('\u00aa\u2168')).toBe('aIX')
  expect(preparePassword('Case Stays')).toBe('Case Stays')
})
test.each(['', '\u00ad', 'a\0b', 'a\nb', 'a\ud800', 'x'.repeat(1025), 'ä'.repeat(600)])(
  'row 32: no password: %j',
  password => {
    expect(preparePassword(password)).toBeUndefined()
  },
)
