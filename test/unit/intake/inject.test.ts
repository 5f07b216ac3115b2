import { describe, expect, test } from 'vitest'
import type { Inject, Injection, QueueId } from '@posthorn/contracts'
import { createInject, doubleBounce, parseSite, prepareReport, resolveRecipients, siteOf } from '@posthorn/intake'
import type { PreparedReport } from '@posthorn/intake'
import { utf8 } from '@posthorn/message'
import type { Recipient, Resolved } from '@posthorn/plugin'
import type { SiteKey } from '@posthorn/contracts'
import { reject } from '@posthorn/reply'
import { box, claims, failing, plugin, storeError, textOf, to, worldOf } from './setup.ts'

async function* chunks(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield utf8(text)
}
const injection = (bytes: AsyncIterable<Uint8Array>, more: Partial<Injection> = {}): Injection => ({
  origin: 'api',
  sender: box('app@example.org'),
  recipients: [to('bob@example.net')],
  bytes,
  ...more,
})

describe('a message put in from inside', () => {
  test('goes the road of every other: stamp, seal, trace field, commit', async () => {
    const { options, queue, events } = await worldOf([
      plugin('a', { stamp: () => ({ prepend: [['X-Stamp', 's']] }), seal: () => ({ prepend: [['X-Seal', 's']] }) }),
    ])
    const id = await createInject(options)(injection(chunks('Subject: a', '\r', '\n\r\n', 'te', 'xt\r\n')))
    const [claim] = await claims(queue)
    expect(claim).toMatchObject({ id, envelope: { origin: 'api', body: '7bit', smtputf8: false } })
    expect((await textOf(claim)).split('\r\n')).toEqual([
      `Received: by mx.example.org (Posthorn) id ${id};`,
      '\tThu, 01 Jan 2026 00:00:00 +0000',
      'X-Seal: s',
      'X-Stamp: s',
      'Subject: a',
      '',
      'text',
      '',
    ])
    expect(events).toMatchObject([{ name: 'message.received', id, origin: 'api' }])
  })

  test('byte by byte is the same', async () => {
    const { options, queue } = await worldOf()
    await createInject(options)(injection(chunks(...'Subject: a\r\nTo: b\r\n\r\ntext\r\n'.split(''))))
    expect((await textOf((await claims(queue))[0])).endsWith('\r\nSubject: a\r\nTo: b\r\n\r\ntext\r\n')).toBe(true)
  })

  test('without an empty line gets one', async () => {
    const { options, queue } = await worldOf()
    await createInject(options)(injection(chunks('Subject: a\r\n')))
    expect((await textOf((await claims(queue))[0])).endsWith('\r\nSubject: a\r\n\r\n')).toBe(true)
  })

  test('says what it needs of the next hop', async () => {
    const { options, queue } = await worldOf()
    const inject = createInject(options)
    await inject(injection(chunks('Subject: a\r\n\r\ngrün\r\n')))
    await inject(injection(chunks('Subject: grün\r\n\r\n')))
    await inject(injection(chunks('Subject: a\r\n\r\n'), { sender: box('grün@example.org') }))
    expect((await claims(queue)).map(({ envelope: e }) => [e.body, e.smtputf8])).toEqual([
      ['8bitmime', false],
      ['8bitmime', true],
      ['7bit', true],
    ])
  })

  test.each([
    ['is too large', ['Subject: a\r\n\r\n', 'x'.repeat(1001)], /over 1000 octets/],
    ['has too large a header section', ['X: y\r\n'.repeat(40)], /header section is over 200/],
    ['has a bare LF', ['Subject: a\r\n\r\nx\ny'], /CR or LF/],
    ['has a bare CR', ['Subject: a\r\n\r\nx\r', 'y'], /CR or LF/],
    ['ends in a CR', ['Subject: a\r\n\r\nx\r'], /CR or LF/],
  ])('that %s is not taken, and nothing of it is kept', async (_, texts, expected) => {
    const { options, queue } = await worldOf()
    const inject = createInject({ ...options, limits: { headers: 200, message: 1000 } })
    await expect(inject(injection(chunks(...texts)))).rejects.toThrow(expected)
    expect(await claims(queue)).toEqual([])
  })

  test('without recipients, past a failing plugin or into a failing store is not taken', async () => {
    const { options, queue } = await worldOf([plugin('bad', { seal: () => Promise.reject(new Error('x')) })])
    const take = (inject: Inject, more: Partial<Injection> = {}): Promise<QueueId> =>
      inject(injection(chunks('A: b\r\n\r\n'), more))
    await expect(take(createInject(options), { recipients: [] })).rejects.toThrow('needs a recipient')
    await expect(take(createInject(options))).rejects.toThrow('seal failed in bad')
    await expect(
      take(createInject({ ...(await worldOf()).options, queue: failing(queue, 'end', storeError(true)) })),
    ).rejects.toThrow('disk full')
    expect(await claims(queue)).toEqual([])
  })
})

describe('what is asked of a recipient that is named from inside', () => {
  const members: Readonly<Record<string, Resolved>> = {
    one: { expand: [{ to: box('carl@example.net') }] },
    team: { expand: [{ to: box('bob@example.org') }, { to: box('carl@example.net') }] },
    list: { expand: [{ to: box('carl@example.net') }], returnPath: box('owner@example.org') },
    bob: { mailbox: 'bob' },
    carl: { transport: 'mx', arg: 'example.net' },
  }
  const asked = { orcpt: 'rfc822;x@old.example', notify: ['success', 'delay'] } as const
  const own = { ...asked, returnPath: box('hear@example.org') }
  test.each<[string, Recipient, readonly string[]]>([
    ['a mailbox', { to: box('bob@example.org'), ...asked }, ['local:bob success,delay rfc822;x@old.example =']],
    [
      '§5.2.7.2: an alias with one member',
      { to: box('one@example.org'), notify: ['success'] },
      ['mx:example.net success rfc822;one@example.org ='],
    ],
    [
      '§5.2.7.3 (c): an alias with several members',
      { to: box('team@example.org'), ...asked },
      [
        'expanded:alias success rfc822;x@old.example =',
        'local:bob delay rfc822;x@old.example =',
        'mx:example.net delay rfc822;x@old.example =',
      ],
    ],
    [
      '§5.2.7.3 (c): the same, with a return path of its own',
      { to: box('team@example.org'), ...own },
      [
        'expanded:alias success rfc822;x@old.example hear@example.org',
        'local:bob delay rfc822;x@old.example hear@example.org',
        'mx:example.net delay rfc822;x@old.example hear@example.org',
      ],
    ],
    [
      '§5.2.7.1: a list',
      { to: box('list@example.org'), ...asked },
      ['expanded:list success rfc822;x@old.example =', 'mx:example.net - - owner@example.org'],
    ],
    [
      '§4.1: nothing',
      { to: box('team@example.org'), notify: 'never' },
      ['local:bob never rfc822;team@example.org =', 'mx:example.net never rfc822;team@example.org ='],
    ],
  ])('goes to its deliveries as RFC 3461 says: %s', async (_, recipient, deliveries) => {
    const { options, queue, chain } = await worldOf([plugin('r', { resolve: ({ to: { local } }) => members[local] })])
    const resolved = await resolveRecipients([recipient], {
      chain,
      hostname: 'h',
      origin: 'api',
      sender: null,
      session: 's',
    })
    if (!resolved.ok) throw new Error(resolved.why)
    await createInject(options)(injection(chunks('A: b\r\n\r\n'), { recipients: resolved.recipients }))
    const made = (await claims(queue)).map(({ site, to: { notify, orcpt, returnPath } }) =>
      [site, notify ?? '-', orcpt ?? '-', returnPath?.wire ?? '='].join(' '),
    )
    expect(made.toSorted()).toEqual(deliveries)
  })
})

describe('a report', () => {
  const bytes = utf8('Subject: bounce\r\n\r\ntext\r\n')
  const report = { bytes, smtputf8: false, body: '7bit' as const, about: 'Q1' as QueueId, to: box('alice@example.com') }

  const prepared = async (...o: Parameters<typeof prepareReport>): Promise<PreparedReport> => {
    const made = await prepareReport(...o)
    if (made === undefined) throw new Error('nobody gets it')
    return made
  }

  test('is routed, stamped and sealed, and has the null sender whatever plugins say', async () => {
    const { options } = await worldOf([
      plugin('way', { resolve: ({ to }) => ({ transport: 'mx', arg: to.domain }) }),
      plugin('srs', { stamp: () => ({ returnPath: box('evil@example.org'), prepend: [['X', 'y']] }) }),
    ])
    const { id, message, body } = await prepared(report, options)
    expect(message).toMatchObject({
      envelope: { origin: 'bounce', returnPath: null, smtputf8: false, body: '7bit' },
      recipients: [{ to: report.to, site: 'mx:example.com', notify: 'never', returnPath: null }],
      facts: { about: 'Q1' },
    })
    const head = Buffer.from(message.head ?? []).toString()
    expect(head).toContain(`id ${id};`)
    expect(head.endsWith('X: y\r\nSubject: bounce\r\n\r\n')).toBe(true)
    expect(Buffer.from(body).toString()).toBe('text\r\n')
  })

  const onlyPostmaster = plugin('users', {
    resolve: ({ to }) => (to.local === 'postmaster' ? { mailbox: 'root' } : reject(550, '5.1.1', 'No')),
  })
  const doubleBounces = box('postmaster@mx.example.org')

  test('for somebody who does not exist goes to our postmaster where that is wanted, and is the last', async () => {
    const { options } = await worldOf([onlyPostmaster], { doubleBounces })
    const { message } = await prepared(report, options)
    expect(message).toMatchObject({ recipients: [{ to: doubleBounces, site: 'local:root' }], tags: [doubleBounce] })
  })

  test.each([
    ['nobody wants it', {}, {}],
    ['the postmaster does not exist either', { doubleBounces: box('nobody@mx.example.org') }, {}],
    ['it is about a report of ours', { doubleBounces }, { isDouble: true }],
  ])('for somebody who does not exist is dropped, and an event says so, when %s', async (_, more, draft) => {
    const { options, events } = await worldOf([onlyPostmaster], more)
    expect(await prepareReport({ ...report, ...draft }, options)).toBeUndefined()
    expect(events).toMatchObject([{ name: 'report.withheld', id: 'Q1', why: 'No' }])
  })

  test('is tried again when a plugin fails', async () => {
    const { options } = await worldOf([plugin('bad', { resolve: () => Promise.reject(new Error('x')) })])
    await expect(prepareReport(report, options)).rejects.toThrow('resolve failed in bad')
  })
})

describe('recipients that no client named', () => {
  const ask = async (resolve: Parameters<typeof plugin>[1]['resolve'], ...more: readonly Recipient[]) => {
    const { chain } = await worldOf(resolve ? [plugin('r', { resolve })] : [])
    return resolveRecipients([{ to: box('a@example.org') }, ...more], {
      chain,
      hostname: 'h',
      origin: 'list',
      sender: null,
      session: 's',
    })
  }

  test('keep what was asked of them, next to where their mail goes', async () => {
    const asked: Recipient = {
      to: box('b@x.example'),
      notify: ['delay'],
      orcpt: 'rfc822;x@y.example',
      returnPath: null,
    }
    expect(await ask(({ to: { local } }) => ({ mailbox: local }), asked)).toEqual({
      ok: true,
      recipients: [
        { to: box('a@example.org'), goesTo: [{ to: box('a@example.org'), destination: { mailbox: 'a' } }] },
        { ...asked, goesTo: [{ to: asked.to, destination: { mailbox: 'b' } }] },
      ],
    })
  })

  test('that expand without end are given up for now, and a loop is left out', async () => {
    const endless = await ask(({ to }) => ({ expand: [{ to: box(`${to.local}x@example.org`) }] }))
    expect(endless).toMatchObject({ ok: false, permanent: false, why: 'addresses expand too deep' })
    const many = Array.from({ length: 1001 }, (_, i) => ({ to: box(`m${i}@example.org`) }))
    expect(await ask(() => ({ expand: many }))).toMatchObject({ ok: false, permanent: false })
    const loop = [{ to: box('a@example.org') }, { to: box('b@example.org') }]
    const around = await ask(({ to }) => (to.local === 'a' ? { expand: loop } : { mailbox: to.local }))
    expect(around).toMatchObject({ ok: true, recipients: [{ goesTo: [{ destination: { mailbox: 'b' } }] }] })
  })

  test('lose members that do not exist, but not all of them, and none that was named', async () => {
    const all: Readonly<Record<string, readonly string[]>> = {
      a: ['b@x.example', 'no@x.example'],
      none: ['no@x.example'],
    }
    const resolve: Parameters<typeof ask>[0] = ({ to: { local } }) =>
      local === 'b' ? { mailbox: 'b' } : all[local] && { expand: all[local].map(address => ({ to: box(address) })) }
    expect(await ask(resolve)).toMatchObject({
      ok: true,
      recipients: [{ goesTo: [{ destination: { mailbox: 'b' } }] }],
    })
    for (const name of ['none', 'nobody'])
      expect(await ask(resolve, { to: box(`${name}@example.org`) })).toMatchObject({ ok: false, permanent: true })
  })
})

test('a site key says transport and argument, and both come back', () => {
  const keys = [
    [{ mailbox: 'bob' }, 'local:bob'],
    [{ transport: 'mx', arg: 'example.org' }, 'mx:example.org'],
    [{ transport: 'smtp', arg: '2001:db8::1:25' }, 'smtp:2001:db8::1:25'],
    [{ transport: 'trap', arg: '' }, 'trap:'],
  ] as const
  for (const [destination, key] of keys) {
    expect(siteOf(destination)).toBe(key)
    const { transport, arg } = parseSite(key as SiteKey)
    expect(`${transport}:${arg}`).toBe(key)
  }
  expect(parseSite('smtp:2001:db8::1:25' as SiteKey)).toEqual({ transport: 'smtp', arg: '2001:db8::1:25' })
})
