import { describe, expect, test } from 'vitest'
import { asciiMailbox, isPostmaster, mailboxKey, needsSmtputf8, parseMailbox, sameMailbox } from './index.ts'
import type { Mailbox } from './index.ts'

const mailbox = (text: string): Mailbox => {
  const parsed = parseMailbox(text)
  if (parsed === undefined) throw new Error(`no mailbox: ${text}`)
  return parsed
}
const same = (a: string, b: string): boolean => {
  const equal = sameMailbox(mailbox(a), mailbox(b))
  expect(mailboxKey(mailbox(a)) === mailboxKey(mailbox(b))).toBe(equal)
  return equal
}

describe('two addresses are one mailbox', () => {
  test('when they differ in the case of the domain, not of the local part', () => {
    expect(same('ann@Example.org', 'ann@example.ORG')).toBe(true)
    expect(same('Ann@example.org', 'ann@example.org')).toBe(false)
    expect(same('ann@example.org', 'ann@example.com')).toBe(false)
  })

  test('when they differ in needless quoting', () => {
    expect(same('"ann"@x', 'ann@x')).toBe(true)
    expect(same(String.raw`"a\nn"@x`, 'ann@x')).toBe(true)
    expect(same('"a nn"@x', 'ann@x')).toBe(false)
  })

  test('row 37: when they differ in Unicode normalisation, or in the form of an international domain', () => {
    expect(same('m\u00fcller@x', 'mu\u0308ller@x')).toBe(true)
    expect(same('a@bücher.example', 'a@xn--bcher-kva.example')).toBe(true)
    expect(same('a@例え。テスト', 'a@例え.テスト')).toBe(true)
  })

  test('when both are the postmaster, in any case', () => {
    expect(same('Postmaster@x', 'POSTMASTER@x')).toBe(true)
    expect(isPostmaster(mailbox('PostMaster@x'))).toBe(true)
    expect(isPostmaster(mailbox('postmaster1@x'))).toBe(false)
  })

  test('never when an @ in a local part or a literal only makes them look alike', () => {
    expect(same('"a@b"@c', 'a@b')).toBe(false)
    expect(same('"l@[x:a"@[y:b]', 'l@[x:a@b]')).toBe(false)
  })
})

describe('SMTPUTF8', () => {
  test('is needed by any character beyond ASCII, in either part', () => {
    expect(needsSmtputf8(mailbox('ä@x'))).toBe(true)
    expect(needsSmtputf8(mailbox('a@ä.example'))).toBe(true)
    expect(needsSmtputf8(mailbox('a@xn--nda.example'))).toBe(false)
  })

  test('can be done without when only the domain is international', () => {
    expect(asciiMailbox(mailbox('"a b"@bücher.example'))?.wire).toBe('"a b"@xn--bcher-kva.example')
    expect(asciiMailbox(mailbox('ä@bücher.example'))).toBeUndefined()
    expect(asciiMailbox(mailbox('A@X'))?.wire).toBe('A@X')
  })
})
