import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  provedKey,
  readClientFinal,
  readClientFirst,
  readSaslName,
  readServerFinal,
  readServerFirst,
  scramKeys,
  scramProof,
  signedWords,
  writeClientFinal,
  writeClientFirst,
  writeSaslName,
  writeServerFinal,
  writeServerFirst,
  writeUnproved,
  type ScramHash,
} from './index.ts'

const sha256: ScramHash = {
  hash: octets => createHash('sha256').update(octets).digest(),
  hmac: (key, text) => createHmac('sha256', key).update(text).digest(),
}
const base64 = (octets: Uint8Array): string => Buffer.from(octets).toString('base64')

test('the example of RFC 7677 §3, from both sides', () => {
  const nonce = 'rOprNGfwEbeRWgbNEkqO'
  const first = writeClientFirst({ flag: 'n', user: 'user', nonce })
  expect(first.text).toBe('n,,n=user,r=rOprNGfwEbeRWgbNEkqO')
  expect(readClientFirst(first.text)).toEqual({
    flag: 'n',
    actFor: '',
    header: 'n,,',
    bare: first.bare,
    user: 'user',
    nonce,
  })
  const challenge = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'
  const asked = readServerFirst(challenge)!
  expect(writeServerFirst(asked)).toBe(challenge)
  const keys = scramKeys(
    pbkdf2Sync('pencil', Buffer.from(asked.salt, 'base64'), asked.iterations, 32, 'sha256'),
    sha256,
  )
  const unproved = writeUnproved({ channel: 'biws', nonce: asked.nonce })
  const words = signedWords(first.bare, challenge, unproved)
  const proof = scramProof(keys, words, sha256)
  expect(writeClientFinal({ unproved, proof: base64(proof) })).toBe(
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  )
  expect(provedKey(proof, keys.storedKey, words, sha256)).toEqual(keys.storedKey)
  expect(provedKey(proof, keys.storedKey, `${words} `, sha256)).not.toEqual(keys.storedKey)
  expect(writeServerFinal(base64(sha256.hmac(keys.serverKey, words)))).toBe(
    'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  )
})

describe('what is written is read back', () => {
  const nonce = fc.stringMatching(/^[\x21-\x2b\x2d-\x7e]{1,40}$/)
  const name = fc.string({ minLength: 1, unit: 'grapheme' })
  test('by the other side', () => {
    fc.assert(
      fc.property(name, nonce, (user, text) => {
        expect(readSaslName(writeSaslName(user))).toBe(user)
        const { text: said, ...first } = writeClientFirst({ flag: 'p=tls-exporter', user, nonce: text })
        expect(readClientFirst(said)).toEqual(first)
        const challenge = { nonce: text, salt: 'AAAA', iterations: 4096 }
        expect(readServerFirst(writeServerFirst(challenge))).toEqual(challenge)
        const unproved = writeUnproved({ channel: 'biws', nonce: text })
        expect(readClientFinal(writeClientFinal({ unproved, proof: 'AAAA' }))).toEqual({
          unproved,
          channel: 'biws',
          nonce: text,
          proof: 'AAAA',
        })
      }),
    )
    expect(readServerFinal(writeServerFinal('AAAA'))).toBe('AAAA')
  })
  test('and nothing makes a reader throw', () => {
    fc.assert(
      fc.property(fc.string(), text => {
        for (const read of [readClientFirst, readServerFirst, readClientFinal, readServerFinal, readSaslName])
          expect(() => read(text)).not.toThrow()
      }),
    )
  })
})

test('row 32: what is unlawful is not read', () => {
  const firsts = [
    '',
    'n,,',
    'n,,n=,r=',
    'n,,m=x,n=a,r=b',
    'n,,n=a=2x,r=b',
    'n,a==,n=a,r=b',
    'n,,r=b,n=a',
    'n,,n=a,r=\u00e4',
  ]
  for (const text of firsts) expect(readClientFirst(text)).toBeUndefined()
  for (const text of ['', 'e=no', 'r=a,s=b', 'r=a,s=AA==,i=0', 'r=a,s=*,i=4096', 'm=x,r=a,s=AA==,i=4096'])
    expect(readServerFirst(text)).toBeUndefined()
  for (const text of ['', 'c=biws,p=AAAA', 'c=biws,r=a', 'r=a,c=biws,p=AAAA'])
    expect(readClientFinal(text)).toBeUndefined()
  for (const text of ['', 'e=invalid-proof', 'v=']) expect(readServerFinal(text)).toBeUndefined()
})
