import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { askable, isHostName, isIpText, plainIp, reversedIp, reverseName } from './name.ts'

test.each([
  ['Example.ORG.', 'example.org'],
  ['_25._tcp.mx.example.org', '_25._tcp.mx.example.org'],
  ['', undefined],
  ['.', undefined],
  ['a..b', undefined],
  ['.a', undefined],
  ['a b', undefined],
  ['a\0', undefined],
  ['ä.example', undefined],
  ['a\\046b', undefined],
  [`${'x'.repeat(63)}.org`, `${'x'.repeat(63)}.org`],
  [`${'x'.repeat(64)}.org`, undefined],
  [`${'x.'.repeat(126)}x`, `${'x.'.repeat(126)}x`],
  [`${'x.'.repeat(127)}x`, undefined],
])('the name %j is asked as %j', (text, expected) => {
  expect(askable(text)).toBe(expected)
})
test('a host name has letters, digits, hyphens inside, and underscores', () => {
  expect(['mx.example.org', 'a', '1.2', 'x_y.z', 'xn--bcher-kva.example'].every(isHostName)).toBe(true)
  expect(['', '.', '-a.org', 'a-.org', 'a b', 'a/b', 'a\n', 'x'.repeat(255)].some(isHostName)).toBe(false)
})
test('addresses as text are told from names', () => {
  expect(['192.0.2.1', '::1', '2001:db8::1'].every(isIpText)).toBe(true)
  expect(['192.0.2', 'mx.example.org', '1.2.3.4.example'].some(isIpText)).toBe(false)
})
test('one spelling for each address', () => {
  expect(plainIp('::ffff:192.0.2.1')).toBe('192.0.2.1')
  expect(plainIp('2001:DB8:0:0::1')).toBe('2001:db8::1')
  expect(plainIp('mx.example.org')).toBeUndefined()
})
test('reverse names lead back to the address', () => {
  expect(reverseName('192.0.2.1')).toBe('1.2.0.192.in-addr.arpa')
  expect(reverseName('2001:db8::1')).toBe(`1.${'0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa`)
  expect(reverseName('nonsense')).toBeUndefined()
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), ip => {
      expect(reversedIp(reverseName(ip) ?? '')).toBe(plainIp(ip))
    }),
  )
})
