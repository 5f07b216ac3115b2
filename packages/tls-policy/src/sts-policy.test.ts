import { describe, expect, test } from 'vitest'
import { namesHost, parseStsPolicy, restoredPolicy, storedPolicy, stsId, type StsPolicy } from './sts-policy.ts'

const file = (...lines: readonly string[]): string => ['version: STSv1', ...lines, ''].join('\r\n')
const enforced = (...mx: readonly string[]): StsPolicy => ({ mode: 'enforce', mx, maxAge: 1 })

describe('the TXT record', () => {
  test.each([
    [['v=STSv1; id=20160831085700Z;'], '20160831085700Z'],
    [['v=STSv1;id=1'], '1'],
    [['v=spf1 -all', 'v=STSv1; id=7; extension=x;'], '7'],
    [[], undefined],
    [['v=STSv1; id=1;', 'v=STSv1; id=2;'], undefined],
    [['v=STSv1;'], undefined],
    [['v=STSv1; id=not/alphanumeric;'], undefined],
    [[`v=STSv1; id=${'1'.repeat(33)};`], undefined],
    [['v=STSv2; id=1;'], undefined],
    [['id=1; v=STSv1;'], undefined],
  ])('%j has the id %j', (records, id) => expect(stsId(records)).toBe(id))
})

describe('the policy file', () => {
  test('is read with either end of line; what is unknown is ignored, and of a field that comes twice the first counts', () => {
    const policy = { mode: 'enforce', mx: ['mail.example.com', '*.example.net'], maxAge: 604_800 }
    const lines = [
      'mode: enforce',
      'mx: mail.example.com',
      'mx: *.EXAMPLE.net',
      'max_age: 604800',
      'mode: none',
      'x-new: 1',
    ]
    expect(parseStsPolicy(file(...lines))).toEqual(policy)
    expect(parseStsPolicy(file(...lines).replaceAll('\r\n', '\n'))).toEqual(policy)
  })
  test('needs no host when there is no policy', () => {
    expect(parseStsPolicy(file('mode: none', 'max_age: 0'))).toEqual({ mode: 'none', mx: [], maxAge: 0 })
  })
  test.each([
    ['', 'its version is not STSv1'],
    ['<html>\r\n<body>no such file</body>', 'a line of it is no field'],
    [file('mode: maybe', 'max_age: 1', 'mx: a.example'), 'its mode is none of enforce, testing, none'],
    [file('mode: enforce', 'mx: a.example'), 'its max_age is not a number up to 31557600'],
    [file('mode: enforce', 'max_age: -1', 'mx: a.example'), 'its max_age is not a number up to 31557600'],
    [file('mode: enforce', 'max_age: 31557601', 'mx: a.example'), 'its max_age is not a number up to 31557600'],
    [file('mode: enforce', 'max_age: 1'), 'it names no mx'],
    [
      file('mode: enforce', 'max_age: 1', ...Array.from({ length: 1001 }, () => 'mx: a.example')),
      'it names too many hosts',
    ],
  ])('%j is none', (text, why) => expect(parseStsPolicy(text)).toBe(why))
  test.each(['*', '*.', '*.*.example', 'mx.*.example', 'a*.example', '.', '', 'a..b', 'a example', '-a.example'])(
    'row 45: mx %j names everything or nothing, so it makes no policy',
    mx => {
      expect(parseStsPolicy(file('mode: enforce', 'max_age: 1', `mx: ${mx}`))).toBe(
        'one of its mx is no host and no pattern such as *.example.org',
      )
    },
  )
})

test('a star stands for exactly one label, and the first', () => {
  expect(namesHost(enforced('mail.example.com'), 'MAIL.example.com.')).toBe(true)
  expect(namesHost(enforced('mail.example.com'), 'mail2.example.com')).toBe(false)
  expect(namesHost(enforced('*.example.com'), 'mx.example.com')).toBe(true)
  expect(namesHost(enforced('*.example.com'), 'a.mx.example.com')).toBe(false)
  expect(namesHost(enforced('*.example.com'), 'example.com')).toBe(false)
  expect(namesHost(enforced('*.example.com'), 'evilexample.com')).toBe(false)
})

test('a policy comes back from the store as it went in, and nothing else comes back', () => {
  const known = { policy: enforced('mx.example'), id: '1', fetched: 5 }
  expect(restoredPolicy(storedPolicy(known))).toEqual(known)
  for (const value of [undefined, null, 1, 'x', [], {}, { mode: 'enforce', mx: [1], maxAge: 1, id: 'x', fetched: 1 }])
    expect(restoredPolicy(value)).toBeUndefined()
})
