import { octetsOfText, parseDomain } from '@posthorn/address'
import { encodeReply, isReject } from '@posthorn/reply'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseCommand } from './index.ts'
import type { CommandOptions } from './index.ts'

const all = ['SIZE', '8BITMIME', 'BINARYMIME', 'SMTPUTF8', 'DSN', 'AUTH', 'REQUIRETLS', 'CHUNKING']
const options: CommandOptions = { utf8: false, offered: new Set(all), domain: parseDomain('mx.example')! }
const utf8: CommandOptions = { ...options, utf8: true }
const plain: CommandOptions = { ...options, offered: new Set() }

/** The command, or the code and status that refuse it. */
const parse = (line: string, o: CommandOptions = options): unknown => {
  const parsed = parseCommand(line, o)
  return parsed.ok ? parsed.command : encodeReply(parsed.reply).slice(0, 9)
}
const answers = (lines: readonly string[], o: CommandOptions = options): readonly unknown[] => [
  ...new Set(lines.map(line => parse(line, o))),
]
const mail = (params: string, o?: CommandOptions): unknown => parse(`MAIL FROM:<a@x> ${params}`, o)
const rcpt = (params: string, o?: CommandOptions): unknown => parse(`RCPT TO:<b@y> ${params}`, o)

describe('a command', () => {
  test('is known in any case, and may end in white space', () => {
    expect(parse('quit')).toEqual({ verb: 'QUIT' })
    expect(parse('Data  \t ')).toEqual({ verb: 'DATA' })
    expect(parse('mail from:<a@x>')).toMatchObject({ verb: 'MAIL', from: { wire: 'a@x' } })
    expect(parse('rCpT tO:<b@y> ')).toMatchObject({ verb: 'RCPT', to: { wire: 'b@y' } })
  })

  test('that is none is refused as unknown', () => {
    expect(answers(['', ' ', ' NOOP', 'WIZ', 'SHELL', 'KILL', 'DEBUG', 'NOOPX', 'QUIT.', '.', 'Ä', 'MAIL:'])).toEqual([
      '500 5.5.1',
    ])
    expect(answers(['GET / HTTP/1.1', 'POST / HTTP/1.0', 'CONNECT a:25 HTTP/1.1', 'Host: a'])).toEqual(['500 5.5.1'])
    expect(answers(['__proto__', 'constructor', 'toString'])).toEqual(['500 5.5.1'])
  })

  test('row 12: with a control character inside is refused whole', () => {
    expect(
      answers(['NOOP\r', 'NOOP a\nb', 'QUIT\0', 'MAIL FROM:<a@x>\rRCPT', 'NO\x1bOP', 'DATA\x7f', 'NOOP a\tb', '\0']),
    ).toEqual(['500 5.5.2'])
  })

  test('says which verb it was when only the rest is wrong', () => {
    expect(parseCommand('RCPT bob', options)).toMatchObject({ ok: false, verb: 'RCPT' })
    expect(parseCommand('bogus', options)).toMatchObject({ ok: false, verb: undefined })
  })

  test('without arguments takes none', () => {
    expect(answers(['DATA now', 'RSET x', 'QUIT 0', 'STARTTLS TLSv1.2'])).toEqual(['501 5.5.4'])
    expect(parse('STARTTLS')).toEqual({ verb: 'STARTTLS' })
    expect(parse('NOOP ignored text')).toEqual({ verb: 'NOOP', argument: 'ignored text' })
    expect(parse('HELP')).toEqual({ verb: 'HELP', argument: '' })
    expect(parse('NOOP \xe4')).toBe('501 5.5.4')
  })

  test('of a megabyte is refused in no time', () => {
    const long = 'a'.repeat(1_000_000)
    expect(answers([`MAIL FROM:<${long}@x>`, `MAIL FROM:<a@${long}>`])).toEqual(['501 5.1.7'])
    expect(answers([`RCPT TO:<"${long}"@x>`, `RCPT TO:<${'@a,'.repeat(300_000)}`])).toEqual(['501 5.1.3'])
    expect(parse(`${' '.repeat(1_000_000)}x${' '.repeat(1_000_000)}`)).toBe('500 5.5.1')
    expect(parse(`EHLO ${long}`)).toBe('501 5.5.4')
  })
})

describe('EHLO, HELO and LHLO', () => {
  test('take a domain, a literal, and what clients in the field say', () => {
    const names = [
      'client.example',
      'localhost',
      'MY_PC',
      '[192.0.2.1]',
      '[IPv6:::1]',
      '192.0.2.1',
      'a.example.',
      '::1',
    ]
    expect(names.map(name => parse(`EHLO ${name}`))).toEqual(names.map(name => ({ verb: 'EHLO', name })))
    expect(parse('HELO a')).toEqual({ verb: 'HELO', name: 'a' })
    expect(parse('LHLO a')).toEqual({ verb: 'LHLO', name: 'a' })
  })

  test('drop what old clients add to a literal', () => {
    expect(parse('EHLO [192.0.2.1] (my laptop)')).toEqual({ verb: 'EHLO', name: '[192.0.2.1]' })
  })

  test('refuse an empty name and one that could forge a trace header', () => {
    expect(
      answers(['EHLO', 'HELO ', 'EHLO a b', 'EHLO (x)', 'EHLO a;b', 'EHLO \xe4', 'EHLO "x"', 'EHLO []', 'EHLO [a]b']),
    ).toEqual(['501 5.5.4'])
    expect(answers([`EHLO ${'a'.repeat(256)}`, 'LHLO <x>', 'EHLO $(id)', 'EHLO a/b'])).toEqual(['501 5.5.4'])
  })
})

describe('MAIL and RCPT', () => {
  test('take a path and nothing else around it', () => {
    expect(parse('MAIL FROM:<>')).toEqual({
      verb: 'MAIL',
      from: null,
      params: { smtputf8: false, requireTls: false },
    })
    expect(answers(['MAIL', 'MAIL a@x', 'MAIL FROM', 'MAIL FROM:a@x', 'MAIL FROM: a@x', 'MAIL FROM :<a@x>'])).toEqual([
      '501 5.5.2',
    ])
    expect(answers(['RCPT', 'RCPT TO:b@y', 'RCPT TO : <b@y>', 'RCPT  TO:<b@y>', 'RCPT FROM:<b@y>'])).toEqual([
      '501 5.5.2',
    ])
    expect(answers(['MAIL FROM:<a@x>SIZE=1', 'MAIL FROM:<a@x>>', 'MAIL FROM:<a@x', 'MAIL FROM:<a@x>,<b@x>'])).toEqual([
      '501 5.1.7',
    ])
  })

  test('take a few spaces behind the colon, as devices send them', () => {
    const [mail, rcpt] = [parse('MAIL FROM:<a@x> SIZE=1'), parse('RCPT TO:<b@y> NOTIFY=NEVER')]
    expect([parse('MAIL FROM: <a@x> SIZE=1'), parse('MAIL FROM:   <a@x>  SIZE=1')]).toEqual([mail, mail])
    expect([parse('RCPT TO: <b@y> NOTIFY=NEVER'), parse('rcpt to:  <b@y> notify=never')]).toEqual([rcpt, rcpt])
    expect(parse('MAIL FROM: <>')).toMatchObject({ from: null })
    expect(parse('RCPT TO: <postmaster>')).toMatchObject({ to: { local: 'postmaster' } })
    expect(answers([`MAIL FROM:${' '.repeat(9)}<a@x>`, 'MAIL FROM: ', 'MAIL FROM:'])).toEqual(['501 5.5.2'])
  })

  test('row 33: the null path is no recipient', () => {
    expect(answers(['RCPT TO:<>', 'RCPT TO:<@>', 'RCPT TO:<b@>', 'RCPT TO:<;sleep 5;@x>', 'RCPT TO:<b>'])).toEqual([
      '501 5.1.3',
    ])
    expect(answers(['MAIL FROM:<@>', 'MAIL FROM:<a@>', 'MAIL FROM:<a>', 'MAIL FROM:<;sleep 5;@x>'])).toEqual([
      '501 5.1.7',
    ])
  })

  test('the postmaster needs no domain, and gets ours', () => {
    expect(parse('RCPT TO:<PostMaster>')).toMatchObject({
      to: { local: 'PostMaster', domain: 'mx.example', wire: 'PostMaster@mx.example' },
    })
    expect(parse('RCPT TO:<Postmaster> NOTIFY=NEVER')).toMatchObject({ params: { notify: 'never' } })
    expect(answers(['RCPT TO:<Postmaster>x', 'RCPT TO:<Postmasters>'])).toEqual(['501 5.1.3'])
    expect(parse('MAIL FROM:<Postmaster>')).toBe('501 5.1.7')
  })

  test('row 37: an address beyond ASCII needs SMTPUTF8, on MAIL itself or on the transaction', () => {
    const address = octetsOfText('<ä@x>')
    expect(parse(`MAIL FROM:${address}`)).toBe('553 5.6.7')
    expect(parse(`MAIL FROM:${address} SMTPUTF8`)).toMatchObject({ from: { local: 'ä' }, params: { smtputf8: true } })
    expect(parse(`MAIL FROM:${address} SMTPUTF8`, plain)).toBe('555 5.5.4')
    expect(parse(`RCPT TO:${address}`)).toBe('553 5.6.7')
    expect(parse(`RCPT TO:${address}`, utf8)).toMatchObject({ to: { local: 'ä', wire: 'ä@x' } })
  })

  test('row 37: octets that are not UTF-8 are refused, SMTPUTF8 or not', () => {
    const bad = ['<\xe4@x>', '<\xc0\xaf@x>', '<\xed\xa0\x80@x>', '<a@\xff>']
    expect(answers(bad.map(path => `MAIL FROM:${path} SMTPUTF8`))).toEqual(['501 5.1.7'])
    expect(
      answers(
        bad.map(path => `RCPT TO:${path}`),
        utf8,
      ),
    ).toEqual(['501 5.1.3'])
  })
})

describe('parameters', () => {
  test('of MAIL are read, in any order and case', () => {
    expect(
      mail('size=2048 Body=8bitmime smtputf8 RET=hdrs ENVID=QQ+2B+20314 AUTH=e+3Dmc2@example.com REQUIRETLS'),
    ).toMatchObject({
      params: {
        size: 2048,
        body: '8bitmime',
        smtputf8: true,
        ret: 'hdrs',
        envid: 'QQ+ 314',
        auth: { local: 'e=mc2', domain: 'example.com' },
        requireTls: true,
      },
    })
    expect(mail('BODY=BINARYMIME  RET=FULL AUTH=<>')).toMatchObject({
      params: { body: 'binarymime', ret: 'full', auth: null },
    })
  })

  test('of RCPT are read', () => {
    expect(rcpt('NOTIFY=SUCCESS,delay ORCPT=rfc822;Bob+2Bx@y')).toMatchObject({
      params: { notify: ['success', 'delay'], orcpt: 'rfc822;Bob+x@y' },
    })
    expect(rcpt('NOTIFY=never')).toMatchObject({ params: { notify: 'never' } })
  })

  test('row 31: unknown ones, and those that were not offered, are refused with 555', () => {
    expect([mail('X=1'), mail('SIZE=1 FOO'), mail('NOTIFY=NEVER'), rcpt('SIZE=1'), mail('=1')]).toEqual(
      Array.from({ length: 5 }, () => '555 5.5.4'),
    )
    expect(mail('AUTH=<a@x>')).toEqual(mail('AUTH=a@x'))
    const unoffered = ['SIZE=1', 'BODY=7BIT', 'SMTPUTF8', 'RET=FULL', 'ENVID=a', 'AUTH=<>', 'REQUIRETLS']
    expect(unoffered.filter(p => mail(p, plain) !== '555 5.5.4')).toEqual([])
    expect(mail('BODY=BINARYMIME', { ...options, offered: new Set(['8BITMIME']) })).toBe('555 5.5.4')
    expect(rcpt('NOTIFY=NEVER', plain)).toBe('555 5.5.4')
  })

  test('row 31: given twice, or by the thousand, they are refused', () => {
    expect(mail('SIZE=1 SIZE=2')).toBe('501 5.5.4')
    expect(mail('SMTPUTF8 smtputf8')).toBe('501 5.5.4')
    expect(mail('SIZE=1 '.repeat(10_000))).toBe('501 5.5.4')
    expect(mail(Array.from({ length: 10_000 }, (_, i) => `X${i}=1`).join(' '))).toBe('555 5.5.4')
  })

  test('row 31: malformed values are refused', () => {
    const bad = [
      'SIZE SIZE= SIZE=-1 SIZE=1e3 SIZE=0x1 SIZE=1,2 SIZE=123456789012345678901 BODY BODY= BODY=9BIT',
      'SMTPUTF8= SMTPUTF8=1 REQUIRETLS=1 RET RET= RET=BOTH',
      'ENVID ENVID= ENVID=+00 ENVID=a+0Ab ENVID=+0D+0A ENVID=+7F ENVID=+C3+A4 ENVID=a=b ENVID=+ ENVID=+4 ENVID=+4g',
      `ENVID=+e4 ENVID=${'a'.repeat(101)} ENVID=${'a'.repeat(10_240)}`,
      'AUTH AUTH= AUTH=a AUTH=a@ AUTH=+00@x AUTH=a+0D+0A@x AUTH=<a> AUTH=<<>> AUTH=+zz@x',
    ].flatMap(words => words.split(' '))
    expect(bad.filter(p => mail(p) !== '501 5.5.4')).toEqual([])
    const badOfRcpt = [
      'NOTIFY NOTIFY= NOTIFY=NEVER,SUCCESS NOTIFY=SUCCESS,SUCCESS NOTIFY=FOO NOTIFY=SUCCESS, NOTIFY=NEVER,NEVER',
      'NOTIFY=SUCCESS,FAILURE,DELAY,SUCCESS NOTIFY=SUCCESS,FAILURE,DELAY,FOO',
      'ORCPT ORCPT= ORCPT=b@y ORCPT=;b@y ORCPT=rfc822; ORCPT=rfc822;a+00 ORCPT=rfc822;a+0Ab ORCPT=rfc822;a+0',
      `ORCPT=rfc822;a=b ORCPT=a(b);x ORCPT=rfc822;${'a'.repeat(494)}`,
    ].flatMap(words => words.split(' '))
    expect(badOfRcpt.filter(p => rcpt(p) !== '501 5.5.4')).toEqual([])
  })

  test('of time and haste are read, and held to their grammars', () => {
    const offers = { ...options, offered: new Set([...all, 'MT-PRIORITY', 'FUTURERELEASE', 'DELIVERBY']) }
    const params = (text: string): unknown => (mail(text, offers) as { params?: unknown }).params
    expect(params('MT-PRIORITY=-9')).toMatchObject({ priority: -9 })
    expect(params('mt-priority=0')).toMatchObject({ priority: 0 })
    expect(params('HOLDFOR=86400')).toMatchObject({ hold: { seconds: 86_400 } })
    expect(params('HOLDUNTIL=2026-12-24T18:00:00+01:00')).toMatchObject({ hold: { until: 1_798_131_600_000 } })
    expect(params('BY=120;R')).toMatchObject({ deliverBy: { seconds: 120, mode: 'return', trace: false } })
    expect(params('BY=+120;N')).toMatchObject({ deliverBy: { seconds: 120, mode: 'notify', trace: false } })
    expect(params('BY=-120;nt')).toMatchObject({ deliverBy: { seconds: -120, mode: 'notify', trace: true } })
    const malformed = [
      'MT-PRIORITY|MT-PRIORITY=10|MT-PRIORITY=+1|MT-PRIORITY=-0|MT-PRIORITY=1.5|HOLDFOR=0|HOLDFOR=1e9|HOLDFOR=1234567890',
      'HOLDUNTIL=tomorrow|HOLDUNTIL=2026-02-30T00:00:00Z|HOLDUNTIL=2026-12-24T25:00:00Z|HOLDUNTIL=2026-12-24',
      'BY=120|BY=;R|BY=120;X|BY=120;R;T|BY=1234567890;R|HOLDFOR=1 HOLDUNTIL=x',
    ].flatMap(line => line.split('|'))
    expect([...new Set(malformed.map(text => mail(text, offers)))]).toEqual(['501 5.5.4'])
    expect(mail('HOLDFOR=1 HOLDUNTIL=2026-12-24T18:00:00Z', offers)).toBe('501 5.5.4')
    expect([...new Set(['MT-PRIORITY=1', 'HOLDFOR=1', 'BY=1;R'].map(text => mail(text)))]).toEqual(['555 5.5.4'])
  })

  test('row 31: a huge SIZE is a number that no limit admits', () => {
    expect(mail('SIZE=99999999999999999999')).toMatchObject({ params: { size: 1e20 } })
    expect(mail('SIZE=0')).toMatchObject({ params: { size: 0 } })
  })

  test('an ORCPT of type utf-8 stands unencoded only in a transaction with SMTPUTF8', () => {
    const orcpt = octetsOfText('ORCPT=utf-8;ä@x')
    expect(rcpt(orcpt, utf8)).toMatchObject({ params: { orcpt: 'utf-8;ä@x' } })
    expect(rcpt(orcpt)).toBe('501 5.5.4')
    expect(rcpt(octetsOfText('ORCPT=rfc822;ä@x'), utf8)).toBe('501 5.5.4')
    expect(rcpt('ORCPT=utf-8;\\x{E4}@x')).toMatchObject({ params: { orcpt: 'utf-8;\\x{E4}@x' } })
  })

  test('an ORCPT with UTF-8 in xtext, as Postfix sends it, is of type utf-8', () => {
    expect(rcpt('ORCPT=rfc822;gr+C3+BCn@x')).toMatchObject({ params: { orcpt: 'utf-8;grün@x' } })
    expect(rcpt('ORCPT=UTF-8;+F0+9F+90+BB@x')).toMatchObject({ params: { orcpt: 'utf-8;🐻@x' } })
    // Not UTF-8, controls, of a type that we know nothing of.
    const bad = ['rfc822;gr+FCn@x', 'rfc822;a+C2+85@x', 'rfc822;a+C3+BC+0A@x', 'rfc822;+ED+A0+80@x', 'x400;gr+C3+BCn']
    expect(bad.filter(value => rcpt(`ORCPT=${value}`) !== '501 5.5.4')).toEqual([])
  })
})

describe('BDAT', () => {
  test('has a size, and says when it is the last', () => {
    expect(parse('BDAT 1000')).toEqual({ verb: 'BDAT', size: 1000, last: false })
    expect(parse('bdat 0 last')).toEqual({ verb: 'BDAT', size: 0, last: true })
    expect(parse('BDAT 2147483648')).toEqual({ verb: 'BDAT', size: 2 ** 31, last: false })
  })

  test('row 16: with a bad number is refused', () => {
    const bad = [
      'BDAT',
      'BDAT x',
      'BDAT -1',
      'BDAT 1.5',
      'BDAT 1 2',
      'BDAT 1 LASTX',
      'BDAT LAST',
      'BDAT 0x10',
      'BDAT 1  LAST',
    ]
    expect(answers([...bad, `BDAT ${2 ** 53}`, 'BDAT 18446744073709551616', `BDAT ${'9'.repeat(30)}`])).toEqual([
      '501 5.5.4',
    ])
  })
})

describe('AUTH', () => {
  test('names a mechanism, and may carry an initial response', () => {
    expect(parse('AUTH login')).toEqual({ verb: 'AUTH', mechanism: 'LOGIN' })
    expect(parse('AUTH SCRAM-SHA-256 biws')).toEqual({ verb: 'AUTH', mechanism: 'SCRAM-SHA-256', initial: 'biws' })
    expect(parse('AUTH EXTERNAL =')).toEqual({ verb: 'AUTH', mechanism: 'EXTERNAL', initial: '=' })
    expect(parse(`AUTH PLAIN ${'A'.repeat(12_000)}`)).toMatchObject({ mechanism: 'PLAIN' })
  })

  test('row 32: with bad base64 or too many words is refused', () => {
    expect(answers(['AUTH PLAIN a', 'AUTH PLAIN a===', 'AUTH PLAIN a*==', 'AUTH PLAIN *', 'AUTH PLAIN ==='])).toEqual([
      '501 5.5.2',
    ])
    expect(answers(['AUTH', 'AUTH PLAIN biws x', 'AUTH PLAIN  biws', 'AUTH \xe4', `AUTH ${'A'.repeat(21)}`])).toEqual([
      '501 5.5.4',
    ])
    expect(parse(`AUTH PLAIN ${'A'.repeat(1_000_000)}*`)).toBe('501 5.5.2')
  })
})

describe('VRFY, EXPN and ETRN', () => {
  test('take an argument', () => {
    expect(parse('VRFY bob smith')).toEqual({ verb: 'VRFY', argument: 'bob smith', smtputf8: false })
    expect(answers(['VRFY', 'EXPN', 'ETRN', 'VRFY \xff'])).toEqual(['501 5.5.4'])
  })

  test('row 29: beyond ASCII need a SMTPUTF8 of their own', () => {
    expect(parse(octetsOfText('VRFY \u00e0'), utf8)).toBe('550 5.6.7')
    expect(parse(octetsOfText('VRFY \u00e0 SMTPUTF8'))).toEqual({ verb: 'VRFY', argument: 'à', smtputf8: true })
    expect(parse(octetsOfText('VRFY \u00e0 SMTPUTF8'), plain)).toBe('550 5.6.7')
  })
})

describe('for every input', () => {
  const fragments =
    'MAIL_FROM: RCPT_TO: EHLO_ AUTH_ BDAT_ VRFY_ < > @ : " \\ [ ] _ = SIZE= BODY= NOTIFY= ORCPT= ENVID= SMTPUTF8 a x.y +2B ; ,'
  const fragment = fc.constantFrom(...fragments.split(' ').map(f => f.replaceAll('_', ' ')), '\r', '\n', '\0', '\xe4')
  const octet = fc.integer({ min: 0, max: 255 }).map(n => String.fromCharCode(n))
  const line = fc.oneof(
    fc.array(fragment, { maxLength: 14 }).map(parts => parts.join('')),
    fc.string({ unit: octet, maxLength: 60 }),
    fc.string({ unit: 'binary' }),
  )
  const strings = (x: unknown): readonly string[] =>
    typeof x === 'string' ? [x] : typeof x === 'object' && x !== null ? Object.values(x).flatMap(v => strings(v)) : []

  test('parsing never throws, a refusal is a reply, and no command carries a control character', () => {
    fc.assert(
      fc.property(line, fc.constantFrom(options, utf8, plain), (text, o) => {
        const parsed = parseCommand(text, o)
        // oxlint-disable-next-line no-control-regex -- they are what must not be there
        const dirty = parsed.ok ? strings(parsed.command).filter(s => /[\0-\x1f\x7f]/.test(s)) : []
        expect(dirty).toEqual([])
        expect(parsed.ok || isReject(parsed.reply)).toBe(true)
      }),
      { numRuns: 5000 },
    )
  })
})
