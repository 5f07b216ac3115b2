import { seededRandom } from '@posthorn/testkit'
import { expect, test } from 'vitest'
import { defaultCost, hashPassword, isHash, verifyPassword } from './argon2id.ts'

const cheap = { memory: 64, passes: 1, lanes: 1 }

test('a hash is a PHC string with fresh salt, and verifies its password only', async () => {
  const random = seededRandom(1)
  const [one, two] = [await hashPassword('secret', random, cheap), await hashPassword('secret', random, cheap)]
  expect(one).toMatch(/^\$argon2id\$v=19\$m=64,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  expect(one).not.toBe(two)
  expect(await verifyPassword('secret', one)).toBe(true)
  expect(await verifyPassword('Secret', one)).toBe(false)
})
test('the default costs what OWASP asks for', () => {
  expect(defaultCost).toEqual({ memory: 19_456, passes: 2, lanes: 1 })
})
test("a hash of the reference implementation is verified (argon2's own test vector)", async () => {
  // `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -e`
  const reference = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'
  expect(await verifyPassword('password', reference)).toBe(true)
})
test.each([
  '',
  '$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  '$argon2id$v=16$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  '$argon2id$v=19$m=9999999,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  '$argon2id$v=19$m=4,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  '$argon2id$v=19$m=64,t=0,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  '$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$',
])('%j is no hash', async text => {
  expect(isHash(text)).toBe(false)
  await expect(verifyPassword('x', text)).rejects.toThrow(TypeError)
})
