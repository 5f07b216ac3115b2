import { createHash, createHmac } from 'node:crypto'
import { seededRandom } from '@posthorn/testkit'
import { expect, test } from 'vitest'
import { makeVerifier, parseVerifier, printVerifier } from './scram.ts'

const base64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'))

test('the verifier of RFC 7677 §3 checks its client proof and makes its server signature', async () => {
  const salt = base64('W22ZaJ0SNY7soEsUEjb6gQ==')
  const random = { ...seededRandom(1), bytes: () => salt }
  const verifier = await makeVerifier('pencil', random, 4096)
  const message = [
    'n=user,r=rOprNGfwEbeRWgbNEkqO',
    'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
  ].join(',')
  const hmac = (key: Uint8Array): Buffer => createHmac('sha256', key).update(message).digest()
  expect(hmac(verifier.serverKey).toString('base64')).toBe('6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
  const signature = hmac(verifier.storedKey)
  const clientKey = base64('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=').map(
    (octet, i) => octet ^ (signature[i] ?? 0),
  )
  expect(new Uint8Array(createHash('sha256').update(clientKey).digest())).toEqual(verifier.storedKey)
})
test('printed and read back it is the same', async () => {
  const verifier = await makeVerifier('secret', seededRandom(1), 4096)
  expect(parseVerifier(printVerifier(verifier))).toEqual(verifier)
})
test.each([
  '',
  'SCRAM-SHA-256$4095:W22ZaJ0SNY7soEsUEjb6gQ==$x:y',
  `SCRAM-SHA-256$1000:W22ZaJ0SNY7soEsUEjb6gQ==$${'A'.repeat(43)}=:${'A'.repeat(43)}=`,
  `SCRAM-SHA-1$4096:W22ZaJ0SNY7soEsUEjb6gQ==$${'A'.repeat(43)}=:${'A'.repeat(43)}=`,
])('%j is no verifier', text => {
  expect(parseVerifier(text)).toBeUndefined()
})
