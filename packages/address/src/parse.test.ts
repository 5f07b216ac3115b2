import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  formatMailbox,
  formatPath,
  mailboxAt,
  octetLength,
  parseDomain,
  parseMailbox,
  parsePath,
  textOfOctets,
} from './index.ts'
import type { Mailbox, ParsedPath } from './index.ts'

const read = (text: string, smtputf8 = true): ParsedPath => parsePath(text, { smtputf8 })
const mailbox = (text: string): Mailbox => {
  const parsed = parseMailbox(text)
  if (parsed === undefined) throw new Error(`no mailbox: ${text}`)
  return parsed
}
const syntax = { ok: false, why: 'syntax' }
/** Those of the texts that are not refused for their syntax. */
const notRefused = (texts: readonly string[]): readonly string[] =>
  texts.filter(text => {
    const path = read(text)
    return path.ok || path.why !== 'syntax'
  })
const tooLong = { ok: false, why: 'too-long' }

test('row 12: what ends in a quote is no quoted string when it does not begin with one', () => {
  for (const local of ['x y"', '\rx"', '\nx y"', '\0"', 'x"', '<x y"', 'a@b"', 'é y"']) {
    expect(parseMailbox(`${local}@example.org`)).toBeUndefined()
    expect(read(`<${local}@example.org>`)).toEqual(syntax)
  }
})

describe('a path', () => {
  test('is read as local part, domain and what stood between the brackets', () => {
    expect(read('<Ann.Lee+tag@Example.ORG> SIZE=1')).toEqual({
      ok: true,
      path: { local: 'Ann.Lee+tag', domain: 'example.org', wire: 'Ann.Lee+tag@Example.ORG' },
      length: 25,
    })
  })

  test('is null when nothing stands between the brackets', () => {
    expect(read('<> BODY=7BIT')).toEqual({ ok: true, path: null, length: 2 })
  })

  test('loses its source route, and nothing else does', () => {
    expect(read('<@a.example,@b.example:ann@c.example>')).toMatchObject({ path: { wire: 'ann@c.example' }, length: 37 })
    expect(read('<@a:b@c>')).toMatchObject({ path: { local: 'b', domain: 'c', wire: 'b@c' } })
    expect(notRefused(['<@a:>', '<@a,:b@c>', '<@a b@c>', '<@a:@b:c@d>', '<@:b@c>', '<a,@b:c@d>', '<@a>'])).toEqual([])
  })

  test('needs both brackets and no spaces', () => {
    expect(
      notRefused(['', 'a@b', '<a@b', 'a@b>', ' <a@b>', '< a@b>', '<a@b >', '<a @b>', '< >', '<<a@b>>', '>']),
    ).toEqual([])
  })

  test('row 33: paths without a proper local part or domain are refused', () => {
    expect(
      notRefused(['<@>', '<a@>', '<@x>', '<a>', '<;sleep 5;@x>', '<a@b@c>', '<.a@x>', '<a.@x>', '<a..b@x>', '<a@x.>']),
    ).toEqual([])
  })

  test('row 34: a quoted local part is read without its quoting and sent on with it', () => {
    expect(read(String.raw`<"a\"b c"@x>`)).toEqual({
      ok: true,
      path: { local: 'a"b c', domain: 'x', wire: String.raw`"a\"b c"@x` },
      length: 12,
    })
    expect(read('<"a>b"@x>tail')).toMatchObject({ path: { local: 'a>b' }, length: 9 })
    expect(read('<"a@b"@x>')).toMatchObject({ path: { local: 'a@b', domain: 'x' } })
    expect(read('<""@x>')).toMatchObject({ path: { local: '', wire: '""@x' } })
  })

  test('row 34: a quoted local part cannot smuggle control characters or an open end', () => {
    expect(
      notRefused([
        '<"\r\nRCPT"@x>',
        '<"a\\\nb"@x>',
        '<"a\0b"@x>',
        '<"a\tb"@x>',
        '<"a@x>',
        '<"a"b@x>',
        '<a"b"@x>',
        String.raw`<"a\"@x>`,
        '<"a"">@x>',
        '<"\u007f"@x>',
      ]),
    ).toEqual([])
  })

  test('row 34: a local part has 64 octets at most, a domain 255, a label 63, a path 256', () => {
    const local = (n: number): string => 'a'.repeat(n)
    const labels = (n: number): string => `${'d'.repeat(49)}.`.repeat(10).slice(0, n - 1) + 'e'
    expect(read(`<${local(64)}@x>`)).toMatchObject({ ok: true })
    expect(read(`<${local(65)}@x>`)).toEqual(tooLong)
    expect(read(`<${local(1_000_000)}@x>`)).toEqual(tooLong)
    expect(read(`<"${local(62)}"@x>`)).toMatchObject({ ok: true })
    expect(read(`<"${local(63)}"@x>`)).toEqual(tooLong)
    expect(read(`<${'ä'.repeat(32)}@x>`)).toMatchObject({ ok: true })
    expect(read(`<${'ä'.repeat(33)}@x>`)).toEqual(tooLong)
    expect(read(`<a@${'d'.repeat(63)}.x>`)).toMatchObject({ ok: true })
    expect(read(`<a@${'d'.repeat(64)}.x>`)).toEqual(syntax)
    expect(read(`<a@${labels(252)}>`)).toMatchObject({ ok: true, length: 256 })
    expect(read(`<a@${labels(253)}>`)).toEqual(tooLong)
    expect(parseDomain(labels(253))).toBeDefined()
    expect(parseDomain(labels(256))).toBeUndefined()
    expect(read(`<${'@r,'.repeat(100)}`)).toEqual(tooLong)
  })

  test('row 35: what a shell or a file system would take for its own is only a name here', () => {
    for (const legal of ['|prog', '/etc/passwd', '${run{x}}', '`id`', '-oQ/tmp', '%00', "x'--", 'a=b', '*'])
      expect(read(`<${legal}@x>`)).toMatchObject({ ok: true, path: { local: legal, domain: 'x' } })
    expect(
      notRefused(
        ['$(id)', ':include:/x', '../..', '..', "x' UNION SELECT 1", '\\\\host\\share', 'a;b', 'a<b'].map(
          local => `<${local}@x>`,
        ),
      ),
    ).toEqual([])
    expect(read('<a@../..>')).toEqual(syntax)
    expect(read('<a@$(id)>')).toEqual(syntax)
    expect(read('<a@-x>')).toEqual(syntax)
    expect(read('<a@%00>')).toEqual(syntax)
  })

  test('row 36: percent hacks and bang paths stay in the local part, so that the domain alone says where mail goes', () => {
    expect(read('<user%other.example@us.example>')).toMatchObject({
      path: { local: 'user%other.example', domain: 'us.example' },
    })
    expect(read('<other.example!user@us.example>')).toMatchObject({
      path: { local: 'other.example!user', domain: 'us.example' },
    })
    expect(read('<"user@other.example"@us.example>')).toMatchObject({ path: { domain: 'us.example' } })
  })

  test('row 37: non-ASCII needs SMTPUTF8', () => {
    expect(read('<ä@x>', false)).toEqual({ ok: false, why: 'utf8' })
    expect(read('<a@ä>', false)).toEqual({ ok: false, why: 'utf8' })
    expect(read('<"ä"@x>', false)).toEqual({ ok: false, why: 'utf8' })
    expect(read('<ä@x>')).toMatchObject({ path: { local: 'ä', wire: 'ä@x' } })
    expect(parseMailbox('ä@x', { smtputf8: false })).toBeUndefined()
    expect(notRefused([String.raw`<"\ä"@x>`])).toEqual([])
    expect(parseMailbox('ä@x')).toBeDefined()
  })

  test('row 37: an A-label is verified, however plain the path looks', () => {
    expect(notRefused(['<a@xn--zzzzzz>', '<a@xn--0.example>', '<a@x.XN--zzzzzz.example>'])).toEqual([])
    expect(read('<a@xn--nda.example>')).toMatchObject({ path: { domain: 'xn--nda.example' } })
  })

  test('row 37: lone surrogates, controls, right-to-left overrides and invisible characters are refused', () => {
    const hidden = [
      '\ud800',
      '\udc00',
      '\u0085',
      '\u202e',
      '\u2066',
      '\u200f',
      '\u2028',
      '\ufeff',
      '\u{fffff}',
    ].flatMap(bad => [`a${bad}b@x`, `"a${bad}b"@x`, `a@x${bad}y`])
    expect(hidden.filter(address => parseMailbox(address) !== undefined)).toEqual([])
    expect(parseMailbox('❤️@x')).toBeDefined()
    expect(parseMailbox('👩‍👩‍👧@x')).toBeDefined()
  })
})

describe('an address without brackets', () => {
  test('is refused when anything is around it', () => {
    expect(
      ['', '@', 'a', 'a@', '@x', ' a@x', 'a@x ', '<a@x>', 'Ann <a@x>', 'a@x,b@y', 'a@x\n', '@r:a@x'].filter(
        bad => parseMailbox(bad) !== undefined,
      ),
    ).toEqual([])
  })

  test('prints as it came', () => {
    expect(formatMailbox(mailbox('"Ann L"@Example.org'))).toBe('"Ann L"@Example.org')
    expect(formatPath(mailbox('a@x'))).toBe('<a@x>')
    expect(formatMailbox(null)).toBe('')
    expect(formatPath(null)).toBe('<>')
  })
})

describe('a mailbox made from its parts', () => {
  const domain = mailbox('a@x.example').domain

  test('is quoted only when it must be', () => {
    expect(mailboxAt('ann', domain).wire).toBe('ann@x.example')
    expect(mailboxAt('a b', domain).wire).toBe('"a b"@x.example')
    expect(mailboxAt('a"\\b', domain).wire).toBe(String.raw`"a\"\\b"@x.example`)
    expect(mailboxAt('', domain).wire).toBe('""@x.example')
    expect(mailboxAt('a..b', domain).wire).toBe('"a..b"@x.example')
  })

  test('cannot be made of what no quoting can express', () => {
    for (const bad of ['a\nb', 'a\0', '\ud800', '\u202e', 'a'.repeat(65)])
      expect(() => mailboxAt(bad, domain)).toThrow(RangeError)
  })
})

describe('for every input', () => {
  const atext = Array.from("abcXYZ019!#$%&'*+-/=?^_`{|}~é漢")
  const atom = fc.string({ unit: fc.constantFrom(...atext), minLength: 1, maxLength: 8 })
  const dotString = fc.array(atom, { minLength: 1, maxLength: 3 }).map(a => a.join('.'))
  const quoted = fc
    .string({ unit: fc.constantFrom(...Array.from('ab @><"\\.,;:()[]é')), maxLength: 12 })
    .map(s => `"${s.replaceAll(/["\\]/g, String.raw`\$&`)}"`)
  const label = fc.stringMatching(/^[a-z](?:[a-z0-9]{0,8}[a-z])?$/)
  const domain = fc.oneof(
    fc.array(label, { minLength: 1, maxLength: 3 }).map(a => a.join('.')),
    fc.ipV4().map(ip => `[${ip}]`),
    fc.ipV6().map(ip => `[IPv6:${ip}]`),
    fc.constantFrom('ö.example', '例え。テスト', 'xn--nda.example', '[x-tag:content]'),
  )
  const written = fc.tuple(fc.oneof(dotString, quoted), domain).map(([l, d]) => `${l}@${d}`)

  test('printing what was parsed gives the input back', () => {
    fc.assert(
      fc.property(written, address => {
        fc.pre(octetLength(address) <= 254 && octetLength(address.slice(0, address.lastIndexOf('@'))) <= 64)
        const path = read(`<${address}>`)
        if (!path.ok) throw new Error(`refused ${address}`)
        expect(formatPath(path.path)).toBe(`<${address}>`)
        expect(parseMailbox(address)).toEqual(path.path)
      }),
    )
  })

  test('a mailbox put together from its parts is the same mailbox', () => {
    fc.assert(
      fc.property(written, address => {
        const parsed = parseMailbox(address)
        fc.pre(parsed !== undefined)
        const again = mailboxAt(parsed.local, parsed.domain)
        expect(parseMailbox(again.wire)).toEqual(again)
        expect([again.local, again.domain]).toEqual([parsed.local, parsed.domain])
      }),
    )
  })

  test('reading never throws, stays within the limits, and the short way agrees with the long one', () => {
    const noise = fc.string({ unit: fc.constantFrom(...Array.from('ab1.@<>"\\[]:-_, \0\r\né。')), maxLength: 40 })
    fc.assert(
      fc.property(noise, fc.boolean(), (text, smtputf8) => {
        const path = parsePath(`<${text}`, { smtputf8 })
        if (!path.ok || path.path === null) return
        const inner = `<${text}`.slice(1, path.length - 1)
        expect(inner.endsWith(path.path.wire)).toBe(true)
        expect(parseMailbox(path.path.wire, { smtputf8 })).toEqual(path.path)
        // oxlint-disable-next-line no-control-regex -- they are what must not be there
        expect(path.path.local).not.toMatch(/[\0-\x1f\x7f]/)
        expect(path.path.domain).toMatch(/^[!-~]+$/)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('octets', () => {
  test('row 37: overlong and truncated UTF-8 and encoded surrogates are no text', () => {
    expect(
      ['\xc0\xaf', '\xe0\x80\xaf', '\xc3', '\xed\xa0\x80', '\xf8\x88\x80\x80\x80', '\xff', 'a\u0100'].filter(
        bad => textOfOctets(bad) !== undefined,
      ),
    ).toEqual([])
    expect(textOfOctets('\xc3\xa4@x')).toBe('ä@x')
    expect(textOfOctets('\xef\xbb\xbfa')).toBe('\ufeffa')
  })
})
