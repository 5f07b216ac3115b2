import { describe, expect, test } from 'vitest'
import { context } from '../../test/sasl-context.ts'
import { oauthBearer, xoauth2 } from './bearer.ts'
import { external } from './external.ts'
import type { SaslMechanism, SaslStep } from './step.ts'

const say = (mechanism: SaslMechanism, text: string): SaslStep => mechanism(Buffer.from(text), context())

describe.each([
  ['XOAUTH2', xoauth2, (user: string, auth: string) => `user=${user}\x01auth=${auth}\x01\x01`],
  [
    'OAUTHBEARER',
    oauthBearer,
    (user: string, auth: string) => `n,a=${user},\x01host=x\x01port=587\x01auth=${auth}\x01\x01`,
  ],
] as const)('%s', (name, mechanism, message) => {
  test('asks about the token', () => {
    expect(say(mechanism, message('ann@example.org', 'Bearer vF9dft4qmTc2Nvb3RlckBhb=='))).toMatchObject({
      ask: 'token',
      user: 'ann@example.org',
      token: 'vF9dft4qmTc2Nvb3RlckBhb==',
    })
  })
  test('says why a token is refused, hears the client, and refuses', () => {
    const step = say(mechanism, message('ann', 'Bearer x'))
    if (!('ask' in step) || step.ask !== 'token') throw new Error('nothing was asked')
    expect(step.next({ user: 'ann' })).toEqual({ identity: { user: 'ann' } })
    const told = step.next(undefined)
    if (!('challenge' in told)) throw new Error('nothing was said')
    expect(JSON.parse(Buffer.from(told.challenge, 'base64').toString())).toHaveProperty('status')
    expect(told.next(Buffer.from('\x01'))).toEqual({ denied: 'ann' })
  })
  test.each(['', 'Basic x', 'Bearer ', 'Bearer a b', `Bearer ${'x'.repeat(9000)}`])(
    'row 32: tells a client that sends %j what it takes, and then refuses it',
    authorization => {
      const told = say(mechanism, message('ann', authorization))
      if (!('challenge' in told)) throw new Error(`not told: ${JSON.stringify(told)}`)
      const { status, schemes } = JSON.parse(Buffer.from(told.challenge, 'base64').toString()) as Record<string, string>
      expect([status, schemes]).toEqual([name === 'OAUTHBEARER' ? 'invalid_request' : '400', 'bearer'])
      expect(told.next(Buffer.from('\x01'))).toEqual({ denied: 'ann' })
    },
  )
  test('lets the client speak first', () => {
    const step = mechanism(undefined, context())
    if (!('challenge' in step)) throw new Error('nothing was said')
    expect(step.challenge).toBe('')
    expect(step.next(Buffer.from(message('ann', 'bearer x')))).toMatchObject({ ask: 'token', user: 'ann', token: 'x' })
  })
  test.each(['', 'x', message('a\r\nb', 'Bearer x'), `${message('ann', 'Bearer x')}y`])(
    'row 32: cannot read %j',
    text => expect(say(mechanism, text)).toEqual({ malformed: true }),
  )
})

describe('EXTERNAL', () => {
  const certificate = { trusted: true, names: ['email:ann@example.org'], fingerprint: '00' }
  test('asks about the certificate, with or without a name', () => {
    const known = context({ certificate })
    expect(external(Buffer.from(''), known)).toMatchObject({ ask: 'certificate', user: '', certificate })
    expect(external(Buffer.from('ann'), known)).toMatchObject({ user: 'ann' })
    expect(external(undefined, known)).toHaveProperty('challenge', '')
  })
  test('is nobody without one', () => expect(external(Buffer.from('ann'), context())).toEqual({ denied: 'ann' }))
  test('row 32: control characters are no name', () => {
    expect(external(Buffer.from('a\r\nb'), context({ certificate }))).toEqual({ malformed: true })
  })
})
