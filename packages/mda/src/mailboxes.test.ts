import { describe, expect, test } from 'vitest'
import type { HookContext, HookFn } from '@posthorn/plugin'
import { box } from '../test/bench.ts'
import { createMailboxes, type LocalMailboxes } from './mailboxes.ts'
import type { MailboxOptions } from './address-book.ts'

const make = (o: Partial<MailboxOptions> = {}): LocalMailboxes =>
  createMailboxes({ domains: ['example.org', 'example.com'], mailboxes: ['ann', 'bob', 'carol@example.com'], ...o })

/** What the plugin answers, with addresses as text. */
const resolve = async (mailboxes: LocalMailboxes, address: string): Promise<unknown> => {
  const hooks = await mailboxes.plugin.setup({} as never)
  const run = hooks.resolve as HookFn<'resolve'>
  const answer = await run({ to: box(address) }, {} as HookContext<'resolve'>)
  if (answer === undefined || !('expand' in answer)) return answer
  return { ...answer, expand: answer.expand.map(r => r.to.wire) }
}

describe('mailboxes', () => {
  test.each([
    ['ann@example.org', { mailbox: 'ann' }],
    ['ann@example.com', { mailbox: 'ann' }],
    ['ANN@example.org', { mailbox: 'ann' }],
    ['carol@example.com', { mailbox: 'carol@example.com' }],
    ['ann+lists@example.org', { mailbox: 'ann' }],
    ['Ann+Lists+more@example.org', { mailbox: 'ann' }],
  ])('%s is %j', async (address, answer) => {
    expect(await resolve(make(), address)).toEqual(answer)
    expect(make().find(box(address))).toBe(answer.mailbox)
  })

  test.each([
    'nobody@example.org',
    'carol@example.org',
    '+ann@example.org',
    'ann@elsewhere.net',
    'nobody+ann@example.org',
  ])('%s is nobody we know', async address => {
    expect(await resolve(make(), address)).toBeUndefined()
    expect(make().find(box(address))).toBeUndefined()
  })

  test('an exact name wins over user+detail, and a name of one domain over a name of all', async () => {
    const mailboxes = make({ mailboxes: ['ann', 'ann+x', 'ann@example.com'] })
    expect(await resolve(mailboxes, 'ann+x@example.org')).toEqual({ mailbox: 'ann+x' })
    expect(await resolve(mailboxes, 'ann@example.com')).toEqual({ mailbox: 'ann@example.com' })
    expect(await resolve(mailboxes, 'ann+y@example.com')).toEqual({ mailbox: 'ann@example.com' })
  })

  test('without a delimiter the plus is part of the name', async () => {
    expect(await resolve(make({ delimiter: false }), 'ann+x@example.org')).toBeUndefined()
    expect(await resolve(make({ delimiter: '-' }), 'ann-x@example.org')).toEqual({ mailbox: 'ann' })
  })

  test('names beyond ASCII are found in either Unicode form and any case', async () => {
    const mailboxes = make({ mailboxes: ['jürgen'] })
    expect(await resolve(mailboxes, 'JU\u0308RGEN@example.org')).toEqual({ mailbox: 'jürgen' })
  })

  test('local domains are known by their parsed form', () => {
    expect(make({ domains: ['Bücher.example'], mailboxes: ['ann'] }).isLocalDomain('xn--bcher-kva.example')).toBe(true)
    expect(make().isLocalDomain('example.net')).toBe(false)
  })

  test('a large set of mailboxes is looked up as fast as a small one', async () => {
    const mailboxes = make({ mailboxes: Array.from({ length: 100_000 }, (_, i) => `user${i}`) })
    const began = performance.now()
    for (let i = 0; i < 10_000; i++) mailboxes.find(box(`user${i * 7}@example.org`))
    expect(performance.now() - began).toBeLessThan(2000)
  })
})

describe('postmaster and abuse', () => {
  test.each(['postmaster', 'POSTMASTER', 'abuse'])('%s is always taken, by the first mailbox', async local => {
    expect(await resolve(make(), `${local}@example.com`)).toEqual({ mailbox: 'ann' })
  })

  test('by the mailbox that is named for it, or one of that name', async () => {
    expect(await resolve(make({ postmaster: 'bob' }), 'abuse@example.org')).toEqual({ mailbox: 'bob' })
    expect(await resolve(make({ mailboxes: ['ann', 'postmaster'] }), 'Postmaster@example.org')).toEqual({
      mailbox: 'postmaster',
    })
    expect(await resolve(make({ aliases: { abuse: 'bob' } }), 'abuse@example.org')).toEqual({
      expand: ['bob@example.org'],
    })
  })

  test('also at our host name, where nobody else lives (RFC 5321 §4.5.1)', async () => {
    const mailboxes = make({ hostname: 'mx.example.net' })
    expect(mailboxes.isLocalDomain('mx.example.net')).toBe(true)
    expect(await resolve(mailboxes, 'postmaster@mx.example.net')).toEqual({ mailbox: 'ann' })
    expect(await resolve(mailboxes, 'ann@mx.example.net')).toBeUndefined()
  })

  test('not before there is a mailbox', async () => {
    expect(await resolve(make({ mailboxes: [] }), 'postmaster@example.org')).toBeUndefined()
  })
})

describe('aliases', () => {
  const aliases = {
    info: 'ann',
    staff: ['ann', 'bob', 'info', 'dave@elsewhere.net'],
    'sales@example.com': ['carol@example.com'],
    bob: ['bob', 'bob@elsewhere.net'],
    'Web.Master': 'postmaster',
  }

  test.each([
    ['info@example.org', { expand: ['ann@example.org'] }],
    ['INFO+x@example.com', { expand: ['ann@example.com'] }],
    ['staff@example.org', { expand: ['ann@example.org', 'bob@example.org', 'info@example.org', 'dave@elsewhere.net'] }],
    ['sales@example.com', { expand: ['carol@example.com'] }],
    ['sales@example.org', undefined],
    ['web.master@example.org', { expand: ['postmaster@example.org'] }],
  ])('%s is %j', async (address, answer) => {
    expect(await resolve(make({ aliases }), address)).toEqual(answer)
  })

  test('an alias among its own targets keeps a copy in the mailbox of its name', async () => {
    expect(await resolve(make({ aliases }), 'Bob@example.org')).toEqual({ expand: ['bob@elsewhere.net'], keep: 'bob' })
    expect(await resolve(make({ aliases: { bob: 'bob' } }), 'bob@example.org')).toEqual({ mailbox: 'bob' })
  })

  test('an alias that names only itself, and has no mailbox, is nobody', async () => {
    expect(await resolve(make({ aliases: { loop: 'loop' } }), 'loop@example.org')).toBeUndefined()
  })

  test('a target named twice in different cases counts once', async () => {
    const twice = { both: ['ann', 'ANN', 'x@elsewhere.net', 'x@elsewhere.net'] }
    expect(await resolve(make({ aliases: twice }), 'both@example.org')).toEqual({
      expand: ['ANN@example.org', 'x@elsewhere.net'],
    })
  })

  test('the star takes what nothing else took', async () => {
    const mailboxes = make({ aliases: { '*@example.com': 'ann' } })
    expect(await resolve(mailboxes, 'anything@example.com')).toEqual({ expand: ['ann@example.com'] })
    expect(await resolve(mailboxes, 'bob@example.com')).toEqual({ mailbox: 'bob' })
    expect(await resolve(mailboxes, 'anything@example.org')).toBeUndefined()
  })

  test('an alias that leads to one mailbox is found as that mailbox, one that leads to several as none', () => {
    const mailboxes = make({ aliases: { ...aliases, a: 'b', b: 'info', x: 'y', y: 'x' } })
    expect(mailboxes.find(box('a@example.org'))).toBe('ann')
    expect(mailboxes.find(box('staff@example.org'))).toBeUndefined()
    expect(mailboxes.find(box('bob@example.org'))).toBeUndefined()
    expect(mailboxes.find(box('x@example.org'))).toBeUndefined()
  })

  test('what cannot work is told: loops, strays, too deep, too many', () => {
    const deep = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`d${i}`, i === 11 ? 'ann' : `d${i + 1}`]))
    const problems = make({
      aliases: {
        fine: ['ann', 'x@elsewhere.net'],
        a: 'b',
        b: 'a',
        stray: ['ann', 'nobody'],
        self: 'self',
        many: Array.from({ length: 1001 }, (_, i) => `u${i}@elsewhere.net`),
        ...deep,
      },
    }).problems()
    expect(problems.filter(p => !p.startsWith('alias d'))).toEqual([
      'alias a expands to itself: a@example.org, b@example.org, a@example.org',
      'alias b expands to itself: b@example.org, a@example.org, b@example.org',
      'alias stray reaches nobody@example.org, which is neither a mailbox nor an alias',
      'alias self reaches nobody',
      'alias many reaches more than 1000 addresses',
    ])
    expect(problems).toContain('alias d0 is more than 10 aliases deep')
    expect(make({ aliases }).problems()).toEqual([])
  })
})

describe('hostile addresses', () => {
  test.each([
    ['row 33', '";sleep 5;"@example.org'],
    ['row 34', '"ann\\"b c"@example.org'],
    ['row 35', '"${run{/bin/id}}"@example.org'],
    ['row 35', '"$(id)"@example.org'],
    ['row 35', '`id`@example.org'],
    ['row 35', '|prog@example.org'],
    ['row 35', '/etc/passwd@example.org'],
    ['row 35', '":include:/x"@example.org'],
    ['row 35', '-oQ/tmp@example.org'],
    ['row 35', '"../.."@example.org'],
    ['row 35', '%00@example.org'],
    ['row 35', '"\' UNION SELECT"@example.org'],
    ['row 36', 'ann%elsewhere.net@example.org'],
    ['row 36', 'elsewhere.net!ann@example.org'],
    ['row 36', '"ann@elsewhere.net"@example.org'],
    ['row 36', 'ann@[127.0.0.1]'],
  ])('%s: %s is no mailbox of ours', async (_row, address) => {
    expect(await resolve(make(), address)).toBeUndefined()
  })

  test('a quoted name is the same mailbox', async () => {
    expect(await resolve(make(), '"ann"@example.org')).toEqual({ mailbox: 'ann' })
  })
})

describe('configuration', () => {
  test.each([
    [{ domains: ['exa mple'] }, '"exa mple" is not a domain'],
    [{ mailboxes: ['a b'] }, 'mailbox "a b" is not an address or a local name'],
    [{ mailboxes: ['../x'] }, 'mailbox "../x"'],
    [{ mailboxes: ['a/b'] }, 'mailbox "a/b" cannot name a directory'],
    [
      { mailboxes: ['ann@elsewhere.net'] },
      'mailbox "ann@elsewhere.net" is in a domain that is not ours; ours: example.org, example.com',
    ],
    [{ aliases: { x: [] } }, 'alias "x" stands for nothing'],
    [{ aliases: { x: '|/bin/sh' } }, 'programs, files and includes are not supported'],
    [{ aliases: { x: '/var/mail/x' } }, 'alias "x": "/var/mail/x"'],
    [{ aliases: { x: ':include:/etc/list' } }, 'alias "x"'],
    [{ aliases: { x: 'a@b@c' } }, 'alias "x"'],
    [{ postmaster: 'nobody' }, 'postmaster "nobody" is not one of the mailboxes'],
  ])('%j is refused with the name and the reason', (options, message) => {
    expect(() => make(options)).toThrow(RangeError)
    expect(() => make(options)).toThrow(message)
  })

  test('an update holds from the next look-up on, and a bad one changes nothing', async () => {
    const mailboxes = make()
    mailboxes.update({ mailboxes: ['dora'] })
    expect(await resolve(mailboxes, 'dora@example.org')).toEqual({ mailbox: 'dora' })
    expect(await resolve(mailboxes, 'ann@example.org')).toBeUndefined()
    expect(() => mailboxes.update({ mailboxes: ['../x'] })).toThrow(RangeError)
    expect(await resolve(mailboxes, 'dora@example.org')).toEqual({ mailbox: 'dora' })
    mailboxes.update({ aliases: { info: 'dora' } })
    expect(await resolve(mailboxes, 'info@example.org')).toEqual({ expand: ['dora@example.org'] })
  })
})
