import { describe, expect, test } from 'vitest'
import { context } from '../../test/sasl-context.ts'
import { ScramClient, verifierOf } from '../../test/scram-client.ts'
import { scramSha256, scramSha256Plus } from './scram.ts'
import type { ScramVerifier } from '@posthorn/contracts'
import type { SaslContext, SaslMechanism, SaslStep } from './step.ts'

const octets = (text: string): Buffer => Buffer.from(text, 'utf8')
const asked = (step: SaslStep): Extract<SaslStep, { readonly ask: 'verifier' }> => {
  if (!('ask' in step) || step.ask !== 'verifier') throw new Error(`no verifier asked: ${JSON.stringify(step)}`)
  return step
}
const challenged = (step: SaslStep): { text: string; answer: (text: string) => SaslStep } => {
  if (!('challenge' in step)) throw new Error(`no challenge: ${JSON.stringify(step)}`)
  return { text: Buffer.from(step.challenge, 'base64').toString(), answer: text => step.next(octets(text)) }
}
const pencil = verifierOf('pencil')
const first = 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO'

/** The whole exchange as far as the server's last word. */
const play = (
  client: ScramClient,
  o: { mechanism?: SaslMechanism; verifier?: ScramVerifier; context?: Partial<SaslContext> } = {},
): SaslStep => {
  const begun = (o.mechanism ?? scramSha256)(octets(client.first()), context(o.context))
  if (!('ask' in begun)) return begun
  const { text, answer } = challenged(asked(begun).next(o.verifier))
  return answer(client.final(text))
}

test('the example of RFC 7677 §3 is played word for word', () => {
  const step = asked(scramSha256(octets(first), context()))
  expect(step.user).toBe('user')
  const { text, answer } = challenged(step.next(pencil))
  expect(text).toBe('r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096')
  const proof = 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ='
  const last = challenged(answer(`c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=${proof}`))
  expect(last.text).toBe('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
  expect(last.answer('')).toEqual({ identity: { user: 'user' } })
})

test('without an initial response the client is let speak first', () => {
  const { text, answer } = challenged(scramSha256(undefined, context()))
  expect(text).toBe('')
  expect(asked(answer(first)).user).toBe('user')
})

test('the name that counts is the one of the verifier', () => {
  const client = new ScramClient({ user: 'User', password: 'pencil' })
  const last = challenged(play(client, { verifier: verifierOf('pencil', 'user') }))
  expect(client.trusts(last.text)).toBe(true)
  expect(last.answer('')).toEqual({ identity: { user: 'user' } })
  expect(last.answer('x')).toEqual({ malformed: true })
})

test('a comma and an equals sign in a name are written otherwise', () => {
  expect(asked(scramSha256(octets('n,,n=a=2Cb=3Dc,r=x'), context())).user).toBe('a,b=c')
  expect(scramSha256(octets('n,,n=a=2cb,r=x'), context())).toEqual({ malformed: true })
})

describe('is not let in:', () => {
  test('a wrong password', () => {
    expect(play(new ScramClient({ user: 'user', password: 'pen' }), { verifier: pencil })).toEqual({ denied: 'user' })
  })
  test('a user who is not there, though asked like any other, and always with one salt', () => {
    const challenge = (user: string): string =>
      challenged(asked(scramSha256(octets(`n,,n=${user},r=x`), context())).next(undefined)).text
    expect(challenge('ghost')).toMatch(/^r=x.+,s=[A-Za-z0-9+/]{22}==,i=4096$/)
    expect(challenge('ghost')).toBe(challenge('ghost'))
    expect(challenge('Ghost')).toBe(challenge('ghost'))
    expect(challenge('ghoul')).not.toBe(challenge('ghost'))
    expect(play(new ScramClient({ user: 'ghost', password: 'x' }))).toEqual({ denied: 'ghost' })
  })
  test('who wants to act for somebody else', () => {
    expect(
      play(new ScramClient({ user: 'user', password: 'pencil', header: 'n,a=root,' }), { verifier: pencil }),
    ).toEqual({ denied: 'user' })
    const himself = new ScramClient({ user: 'user', password: 'pencil', header: 'n,a=user,' })
    expect(play(himself, { verifier: pencil })).toHaveProperty('challenge')
  })
  test('row 32: an answer of an earlier exchange', () => {
    const client = new ScramClient({ user: 'user', password: 'pencil', nonce: 'n' })
    const old = challenged(asked(scramSha256(octets(client.first()), context())).next(pencil))
    const answer = client.final(old.text)
    expect(old.answer(answer)).toHaveProperty('challenge')
    const now = challenged(asked(scramSha256(octets(client.first()), context({ nonce: () => 'other' }))).next(pencil))
    expect(now.answer(answer)).toEqual({ denied: 'user' })
  })
  test('row 32: a nonce that is only its own', () => {
    const client = new ScramClient({ user: 'user', password: 'pencil', nonce: 'n' })
    const { answer } = challenged(asked(scramSha256(octets(client.first()), context())).next(pencil))
    expect(answer(client.final('r=n,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'))).toEqual({ denied: 'user' })
  })
})

describe('channel binding', () => {
  const binding = Buffer.alloc(32, 7)
  const tls = { binding: () => binding, bindingOffered: true }
  const header = 'p=tls-exporter,,'
  const plus = (o: { header?: string; binding?: Uint8Array }): SaslStep =>
    play(new ScramClient({ user: 'user', password: 'pencil', header, ...o }), {
      mechanism: scramSha256Plus,
      verifier: pencil,
      context: tls,
    })
  test('to this connection lets in', () => expect(plus({ binding })).toHaveProperty('challenge'))
  test('to another connection does not', () => {
    expect(plus({ binding: Buffer.alloc(32, 8) })).toEqual({ denied: 'user' })
    expect(plus({})).toEqual({ denied: 'user' })
  })
  test.each(['n,,', 'y,,', 'p=tls-unique,,', 'p=tls-server-end-point,,'])('said as %j does not', other => {
    expect(plus({ header: other, binding })).toEqual({ denied: 'user' })
  })
  test('is not there: PLUS does not let in', () => {
    const client = new ScramClient({ user: 'user', password: 'pencil', header, binding })
    expect(play(client, { mechanism: scramSha256Plus, verifier: pencil })).toEqual({ denied: 'user' })
  })
  test('that somebody took out of our offer is noticed', () => {
    const client = new ScramClient({ user: 'user', password: 'pencil', header: 'y,,' })
    expect(play(client, { verifier: pencil, context: tls })).toEqual({ denied: 'user' })
    expect(play(client, { verifier: pencil })).toHaveProperty('challenge')
  })
  test('is not claimed without PLUS', () => {
    const client = new ScramClient({ user: 'user', password: 'pencil', header, binding })
    expect(play(client, { verifier: pencil, context: tls })).toEqual({ denied: 'user' })
  })
})

test.each([
  '',
  'n',
  'n,,',
  'n,,n=,r=x',
  'n,,n=user',
  'n,,r=x,n=user',
  'n,,m=ext,n=user,r=x',
  'n,n=user,r=x',
  'n,,n=user,r=',
  'n,,n=us\0er,r=x',
  'n,,n=a=b,r=x',
  `n,,n=user,r=${'x'.repeat(257)}`,
  'n,,n=user,r=a b',
  'n,,n=user,r=\u00e4',
])('row 32: a first message %j cannot be read', message => {
  expect(scramSha256(octets(message), context())).toEqual({ malformed: true })
})
test.each([
  '',
  'c=biws',
  'c=biws,r=x',
  'c=biws,r=x,p=',
  'c=biws,r=x,p=AAAA',
  'c=b,r=x,p=',
  'r=x,c=biws,p=AAAA',
  'c=biws,r=x,p=!!!!',
  `c=biws,r=x,p=${'A'.repeat(44)}`,
  `c=biws,r=x,p=${'A'.repeat(10_000)}`,
])('row 32: a final message %j cannot be read', message => {
  const { answer } = challenged(asked(scramSha256(octets(first), context())).next(pencil))
  expect(answer(message)).toEqual({ malformed: true })
})
