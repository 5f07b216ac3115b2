import { expect, test } from 'vitest'
import { context } from '../../test/sasl-context.ts'
import { saslMechanisms } from './mechanisms.ts'
import { decodeBase64 } from './text.ts'
import type { SaslStep } from './step.ts'

const begin = (mechanism: string, initial?: string): SaslStep => {
  const start = saslMechanisms.get(mechanism)
  if (start === undefined) throw new Error(`no ${mechanism}`)
  return start.start(initial === undefined ? undefined : Buffer.from(initial, 'utf8'), context())
}
const answer = (step: SaslStep, response: string): SaslStep => {
  if (!('challenge' in step)) throw new Error('nothing was asked')
  return step.next(Buffer.from(response, 'utf8'))
}

test('PLAIN reads user and password, also beyond ASCII', () => {
  expect(begin('PLAIN', '\0jörg\0pässword')).toMatchObject({ ask: 'password', user: 'jörg', password: 'pässword' })
  expect(answer(begin('PLAIN'), 'ann\0ann\0x')).toMatchObject({ user: 'ann', password: 'x' })
})

test('PLAIN does not act for others, and asks nobody about an empty password', () => {
  expect(begin('PLAIN', 'root\0ann\0secret')).toEqual({ denied: 'ann' })
  expect(begin('PLAIN', '\0ann\0')).toEqual({ denied: 'ann' })
})

test.each(['', 'ann', 'ann\0secret', '\0ann\0secret\0', '\0\0secret', '\0a\nb\0secret', `\0${'a'.repeat(2000)}\0x`])(
  'PLAIN cannot read %j',
  message => {
    expect(begin('PLAIN', message)).toEqual({ malformed: true })
  },
)

test('LOGIN asks twice', () => {
  const first = begin('LOGIN')
  expect(first).toMatchObject({ challenge: 'VXNlcm5hbWU6' })
  const second = answer(first, 'ann')
  expect(second).toMatchObject({ challenge: 'UGFzc3dvcmQ6' })
  expect(answer(second, 'secret')).toMatchObject({ user: 'ann', password: 'secret' })
  expect(answer(begin('LOGIN', 'ann'), '')).toEqual({ denied: 'ann' })
})

test.each(['A', 'AAA', 'AA=A', 'AAAA AAAA', 'AA-_', 'AAAA\n', '====', '=AAA'])('%j is not base64', text => {
  expect(decodeBase64(text)).toBeUndefined()
})
test('base64 is read', () => {
  expect(decodeBase64('')).toHaveLength(0)
  expect(decodeBase64('YW5u')).toEqual(Buffer.from('ann'))
})
