import { describe, expect, test } from 'vitest'
import { bodyOf, emptyHeaders, utf8 } from '@posthorn/message'
import { defer, reject } from '@posthorn/reply'
import { pass, permit, policyFailure, slot } from '@posthorn/plugin'
import type { Message } from '@posthorn/plugin'
import { benchOf, box, plugin, rcpt } from './setup.ts'

const no = reject(550, '5.7.1', 'No')
const later = defer(450, '4.7.1', 'Later')
const message: Message = { headers: emptyHeaders, body: bodyOf(utf8('hello')) }

describe('decide', () => {
  test('is pass when nobody listens or all pass, synchronously', async () => {
    const { chain, ctx, verdicts } = await benchOf([
      plugin('a', { mail: () => pass }),
      plugin('b', { mail: () => pass }),
    ])
    expect(chain.has('ehlo')).toBe(false)
    expect(chain.decide('ehlo', 'x', ctx)).toBe(pass)
    expect(chain.has('mail')).toBe(true)
    expect(chain.decide('mail', null, ctx)).toBe(pass)
    expect(verdicts).toEqual([])
  })

  test('ends with the first stop and says whose it was', async () => {
    const asked: string[] = []
    const { chain, ctx, verdicts } = await benchOf([
      plugin('a', { mail: () => pass }),
      plugin('b', { mail: () => no }),
      plugin('c', { mail: () => (asked.push('c'), pass) }),
    ])
    expect(chain.decide('mail', null, ctx)).toBe(no)
    expect(asked).toEqual([])
    expect(verdicts).toEqual([{ plugin: 'b', hook: 'mail', verdict: '550 5.7.1' }])
  })

  test('can hang up', async () => {
    const { chain, ctx, verdicts } = await benchOf([plugin('a', { connect: () => ({ hangUp: no }) })])
    expect(chain.decide('connect', { ip: ctx.ip }, ctx)).toEqual({ hangUp: no })
    expect(verdicts[0]?.verdict).toBe('hang up 550 5.7.1')
  })

  test('a permit does not end it: a later plugin may still refuse', async () => {
    const first = plugin('a', { rcpt: () => permit })
    const refusing = await benchOf([first, plugin('b', { rcpt: () => no })])
    expect(refusing.chain.decide('rcpt', rcpt('x@y.example'), refusing.ctx)).toBe(no)
    const passing = await benchOf([first, plugin('b', { rcpt: () => pass })])
    expect(passing.chain.decide('rcpt', rcpt('x@y.example'), passing.ctx)).toBe(permit)
    expect(passing.verdicts).toEqual([{ plugin: 'a', hook: 'rcpt', verdict: 'permit' }])
  })

  test('silence is not a permit', async () => {
    const { chain, ctx } = await benchOf([plugin('a', { rcpt: () => pass })])
    expect(chain.decide('rcpt', rcpt('x@y.example'), ctx)).toBe(pass)
  })

  test('a held message is still shown to later plugins, and a refusal beats the hold', async () => {
    const hold = plugin('a', { message: () => ({ hold: 'spam' }) })
    const refusing = await benchOf([hold, plugin('b', { message: () => no })])
    expect(refusing.chain.decide('message', message, refusing.ctx)).toBe(no)
    const passing = await benchOf([hold, plugin('b', { message: () => ({ hold: 'second' }) })])
    expect(passing.chain.decide('message', message, passing.ctx)).toEqual({ hold: 'spam' })
  })

  test('a discard ends it', async () => {
    const { chain, ctx } = await benchOf([
      plugin('a', { message: () => ({ discard: 'junk' }) }),
      plugin('b', { message: () => no }),
    ])
    expect(chain.decide('message', message, ctx)).toEqual({ discard: 'junk' })
  })

  test('answers per recipient are merged, the first stop of each counts, and a hold goes along', async () => {
    const { chain, ctx } = await benchOf([
      plugin('a', { message: (_: Message, c: typeof ctx) => ({ each: new Map([[c.accepted[0], no]]) }) }),
      plugin('b', {
        message: (_: Message, c: typeof ctx) => ({
          each: new Map<unknown, unknown>([
            [c.accepted[0], later],
            [c.accepted[1], pass],
          ]),
        }),
      }),
      plugin('c', { message: () => ({ hold: 'why' }) }),
    ])
    expect(chain.decide('message', message, ctx)).toEqual({ hold: 'why', each: new Map([[ctx.accepted[0], no]]) })
  })

  test('an answer for somebody who is no recipient is nonsense', async () => {
    const { chain, ctx } = await benchOf([
      plugin('a', { message: () => ({ each: new Map([[rcpt('bob@example.org'), no]]) }) }),
    ])
    expect(chain.decide('message', message, ctx)).toBe(policyFailure)
  })

  test('attempt may wait or hold, which ends it', async () => {
    const { chain, ctx } = await benchOf([
      plugin('a', { attempt: () => ({ wait: 1000, why: 'slow' }) }),
      plugin('b', { attempt: () => no }),
    ])
    expect(chain.decide('attempt', { via: 'mx', domain: 'x.example' }, ctx)).toEqual({ wait: 1000, why: 'slow' })
  })
})

describe('claim', () => {
  test('the first answer wins; undefined passes the question on', async () => {
    const { chain, ctx, verdicts } = await benchOf([
      plugin('a', { resolve: () => undefined }),
      plugin('b', { resolve: () => ({ mailbox: 'bob' }) }),
      plugin('c', { resolve: () => ({ mailbox: 'carol' }) }),
    ])
    expect(chain.claim('resolve', rcpt('bob@example.org'), ctx)).toEqual({ mailbox: 'bob' })
    expect(verdicts).toEqual([{ plugin: 'b', hook: 'resolve', verdict: 'mailbox' }])
    expect(chain.claim('route', rcpt('bob@example.org'), ctx)).toBeUndefined()
  })

  test('resolve may stop', async () => {
    const { chain, ctx } = await benchOf([plugin('a', { resolve: () => no })])
    expect(chain.claim('resolve', rcpt('bob@example.org'), ctx)).toBe(no)
  })

  test('a failure is a value that names the plugin', async () => {
    const { chain, ctx } = await benchOf([
      plugin('a', {
        resolve: () => {
          throw new Error('db down')
        },
      }),
      plugin('b', { resolve: () => ({ mailbox: 'bob' }) }),
    ])
    expect(chain.claim('resolve', rcpt('bob@example.org'), ctx)).toEqual({ failed: true, plugin: 'a' })
  })

  test('answers are copied, so that a plugin that goes on changing them changes nothing', async () => {
    const expand = [{ to: box('x@example.org'), notify: ['failure'] }]
    const { chain, ctx } = await benchOf([plugin('a', { resolve: () => ({ expand }) })])
    const answer = chain.claim('resolve', rcpt('bob@example.org'), ctx)
    expand[0]?.notify.push('success')
    expand.push({ to: box('evil@example.org'), notify: [] })
    expect(answer).toEqual({ expand: [{ to: box('x@example.org'), notify: ['failure'] }] })
  })

  test('every kind of route and resolve answer is let through whole', async () => {
    const routes = [
      { via: 'mx', domain: 'example.org' },
      { via: 'smtp', host: 'relay.example', port: 587, credentials: 'relay', tls: 'verify', implicitTls: true },
      { via: 'lmtp', host: 'mail.example', port: 24 },
      { via: 'transport', name: 'pipe', arg: '' },
    ]
    for (const route of routes) {
      const { chain, ctx } = await benchOf([plugin('a', { route: () => route })])
      expect(chain.claim('route', rcpt('bob@example.org'), ctx)).toEqual(route)
    }
    const resolved = [
      { transport: 'mx', arg: 'example.org' },
      {
        expand: [{ to: box('a@b.example'), returnPath: null, orcpt: 'rfc822;a@b', notify: 'never' }],
        returnPath: null,
      },
      { expand: [{ to: box('a@b.example') }], keep: 'ann' },
      { expand: [{ to: box('a@b.example'), returnPath: box('o@b.example') }], returnPath: box('o@b.example') },
    ]
    for (const answer of resolved) {
      const { chain, ctx } = await benchOf([plugin('a', { resolve: () => answer })])
      expect(chain.claim('resolve', rcpt('bob@example.org'), ctx)).toEqual(answer)
    }
    const egress = { lane: 'g', concurrency: 20, perSecond: 0.5, messagesPerConnection: 10, source: '192.0.2.9' }
    const { chain, ctx } = await benchOf([plugin('a', { egress: () => egress })])
    expect(chain.claim('egress', { site: ctx.site, mx: [] }, ctx)).toEqual(egress)
  })
})

describe('gather', () => {
  test('collects all answers in order', async () => {
    const { chain, ctx } = await benchOf([
      plugin('a', { stamp: () => ({ tags: ['one'] }) }),
      plugin('b', { stamp: () => undefined }),
      plugin('c', { stamp: async () => ({ prepend: [['X', 'y']], priority: 3, returnPath: null }) }),
    ])
    expect(await chain.gather('stamp', message, ctx)).toMatchObject([
      { tags: ['one'] },
      { prepend: [['X', 'y']], priority: 3, returnPath: null },
    ])
    expect(chain.gather('seal', message, ctx)).toEqual([])
  })

  test('one failure is the result of all', async () => {
    const { chain, ctx } = await benchOf([
      plugin('a', { seal: () => ({ prepend: [['DKIM-Signature', 'x']] }) }),
      plugin('b', { seal: () => ({ prepend: [['X', 'a\r\nBcc: evil@example.org']] }) }),
    ])
    expect(chain.gather('seal', message, ctx)).toEqual({ failed: true, plugin: 'b' })
  })

  test('seal may only prepend', async () => {
    const { chain, ctx } = await benchOf([plugin('a', { seal: () => ({ remove: ['Received'] }) })])
    expect(chain.gather('seal', message, ctx)).toEqual({ failed: true, plugin: 'a' })
  })
})

describe('observe', () => {
  test('tells everyone, whatever the others throw', async () => {
    const seen: string[] = []
    const { chain, ctx, errors } = await benchOf([
      plugin('a', {
        closed: () => {
          throw new Error('sync')
        },
      }),
      plugin('b', { closed: () => Promise.reject(new Error('async')) }),
      plugin('c', { closed: () => void seen.push('c') }),
    ])
    chain.observe('closed', {}, ctx)
    await Promise.resolve()
    await Promise.resolve()
    expect(seen).toEqual(['c'])
    expect(errors).toEqual([
      { plugin: 'a', hook: 'closed', message: 'sync' },
      { plugin: 'b', hook: 'closed', message: 'async' },
    ])
  })
})

test('slots of a connection are seen in its transactions, and those of a transaction end with it', async () => {
  const spf = slot<'pass' | 'fail'>('spf')
  const { chain, ctx } = await benchOf([
    plugin('a', { connect: (_: unknown, c: typeof ctx) => (c.set(spf, 'fail'), pass) }),
  ])
  void chain.decide('connect', { ip: ctx.ip }, ctx)
  expect(ctx.get(spf)).toBe('fail')
})
