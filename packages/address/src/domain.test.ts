import { describe, expect, test } from 'vitest'
import { isAddressLiteral, literalIp, parseDomain } from './index.ts'
import type { Domain } from './index.ts'

const domain = (text: string): Domain => {
  const parsed = parseDomain(text)
  if (parsed === undefined) throw new Error(`no domain: ${text}`)
  return parsed
}

describe('a domain name', () => {
  test('comes back in lower case', () => {
    expect(parseDomain('Mail.EXAMPLE.org')).toBe('mail.example.org')
    expect(parseDomain('localhost')).toBe('localhost')
    expect(parseDomain('r3---sn.example')).toBe('r3---sn.example')
    expect(parseDomain('3com.com')).toBe('3com.com')
  })

  test('is refused when it breaks the grammar', () => {
    expect(
      ['', '.', 'a.', '.a', 'a..b', '-a', 'a-', 'a.-b.c', 'a_b', 'a b', 'a/b', 'a\n', 'a:25', '*', 'a%b'].filter(
        bad => parseDomain(bad) !== undefined,
      ),
    ).toEqual([])
  })

  test('is refused when it looks like a bare address', () => {
    expect(
      ['127.0.0.1', '1', '2130706433', 'a.1', '１２７.0.0.1'].filter(bad => parseDomain(bad) !== undefined),
    ).toEqual([])
  })

  test('row 37: an international name is compared as A-labels, whatever way it was written', () => {
    expect(parseDomain('Bücher.example')).toBe('xn--bcher-kva.example')
    expect(parseDomain('bu\u0308cher.example')).toBe('xn--bcher-kva.example')
    expect(parseDomain('XN--BCHER-KVA.example')).toBe('xn--bcher-kva.example')
    expect(parseDomain('faß.de')).toBe('xn--fa-hia.de')
    expect(parseDomain('例え。テスト')).toBe('xn--r8jz45g.xn--zckzah')
    expect(parseDomain('ｅｘａｍｐｌｅ．ｏｒｇ')).toBe('example.org')
    expect(parseDomain('bücher.example', { smtputf8: false })).toBeUndefined()
  })

  test('row 37: an A-label that decodes to nothing lawful is refused', () => {
    expect(
      ['xn--', 'xn--a', 'xn--zzzzzz', 'xn--a-ä', 'xn--example-', 'xn--0', 'a.xn--99999999999.b'].filter(
        bad => parseDomain(bad) !== undefined,
      ),
    ).toEqual([])
  })

  test('row 37: characters that map to a separator of something else do not get through', () => {
    expect(
      ['a℀b', 'a／b', 'a＠b', 'a\u200bb', 'a\u00adb', 'a\u202eb', 'אa.example1'].filter(
        bad => parseDomain(bad) !== undefined,
      ),
    ).toEqual([])
  })
})

describe('an address literal', () => {
  test('is read in one spelling', () => {
    expect(parseDomain('[192.0.2.1]')).toBe('[192.0.2.1]')
    expect(parseDomain('[ipv6:2001:DB8:0:0::1]')).toBe('[IPv6:2001:db8::1]')
    expect(parseDomain('[IPv6:2001:db8::192.0.2.1]')).toBe('[IPv6:2001:db8::c000:201]')
    expect(parseDomain('[X-Tag:Some.Thing]')).toBe('[x-tag:Some.Thing]')
  })

  test('is refused when malformed', () => {
    expect(
      [
        '[]',
        '[',
        '[1.2.3]',
        '[1.2.3.4.5]',
        '[256.0.0.1]',
        '[010.0.0.1]',
        '[1.2.3.4',
        '[2001:db8::1]x',
        '[IPv6:]',
        '[IPv6:1::2::3]',
        '[IPv6:fe80::1%eth0]',
        '[IPv6:12345::]',
        '[IPv6:::ffff:1.2.3.256]',
        '[IPv6:::ffff:01.2.3.4]',
        '[x:a]b]',
        '[x:a b]',
        String.raw`[x:a\]`,
        '[tag-:x]',
        '[tag:]',
        '[IPv6:1.2.3.4]',
      ].filter(bad => parseDomain(bad) !== undefined),
    ).toEqual([])
  })

  test('row 36: the address inside is told, IPv4 in IPv6 as IPv4', () => {
    expect(literalIp(domain('[127.0.0.1]'))).toBe('127.0.0.1')
    expect(literalIp(domain('[IPv6:::1]'))).toBe('::1')
    expect(literalIp(domain('[IPv6:0:0:0:0:0:FFFF:127.0.0.1]'))).toBe('127.0.0.1')
    expect(literalIp(domain('[x:y]'))).toBeUndefined()
    expect(literalIp(domain('example.org'))).toBeUndefined()
  })

  test('is told from a name', () => {
    expect(isAddressLiteral(domain('[127.0.0.1]'))).toBe(true)
    expect(isAddressLiteral(domain('example.org'))).toBe(false)
  })
})
