import { describe, expect, test } from 'vitest'
import type { AcceptedRecipient } from '@posthorn/contracts'
import { slot } from '@posthorn/plugin'
import type { Slot } from '@posthorn/plugin'
import { parseHeaders, utf8 } from '@posthorn/message'
import { reject } from '@posthorn/reply'
import { createIntake } from '@posthorn/intake'
import {
  BODY,
  box,
  byText,
  bring,
  claims,
  failing,
  handoff,
  HEAD,
  plugin,
  storeError,
  textOf,
  to,
  transaction,
  worldOf,
} from './setup.ts'

describe('a message that a session brings', () => {
  test('is answered 250 with its id once it is in the queue, with a trace field on top and no other byte changed', async () => {
    const { intake, queue } = await worldOf()
    const reception = intake.begin(transaction())
    if (!('commit' in reception)) throw new Error('refused')
    void reception.write(utf8(BODY.slice(0, 4)))
    void reception.write(utf8(BODY.slice(4)))
    const reply = await reception.commit(parseHeaders(utf8(HEAD)), { verdicts: [] })
    expect(reply).toMatchObject({ code: 250, enhanced: '2.0.0', lines: [`Ok: queued as ${reception.id}`] })
    const [claim] = await claims(queue)
    expect(claim).toMatchObject({ id: reception.id, site: 'mx:example.net', envelope: { origin: 'mx', body: '7bit' } })
    expect((await textOf(claim)).split('\r\n')).toEqual([
      'Received: from client.example ([192.0.2.1])',
      '\tby mx.example.org (Posthorn) with ESMTP id ' + reception.id,
      '\tfor <bob@example.net>;',
      '\tThu, 01 Jan 2026 00:00:00 +0000',
      ...(HEAD + BODY).split('\r\n'),
    ])
  })

  test('is nowhere before its commit, and nowhere after abort', async () => {
    const { intake, queue } = await worldOf()
    const reception = intake.begin(transaction())
    if (!('commit' in reception)) throw new Error('refused')
    void reception.write(utf8(BODY))
    expect(await claims(queue)).toEqual([])
    reception.abort()
    expect(await claims(queue)).toEqual([])
  })

  test('keeps its envelope', async () => {
    const { intake, queue } = await worldOf()
    const t = transaction({
      origin: 'submission',
      client: { ...transaction().client, user: 'alice' },
      recipients: [to('bob@example.net', { orcpt: 'rfc822;bob@example.net', notify: ['success'] })],
      envid: 'e1',
      ret: 'hdrs',
      requireTls: true,
      smtputf8: true,
      body: '8bitmime',
    })
    await bring(intake, t)
    const [claim] = await claims(queue)
    expect(claim?.envelope).toEqual({
      returnPath: box('alice@example.com'),
      origin: 'submission',
      user: 'alice',
      envid: 'e1',
      ret: 'hdrs',
      smtputf8: true,
      body: '8bitmime',
      requireTls: true,
    })
    expect(claim?.to).toMatchObject({ orcpt: 'rfc822;bob@example.net', notify: ['success'] })
  })

  test('waits for its release, and lives its whole life after it', async () => {
    const { intake, queue, clock } = await worldOf()
    const notBefore = clock.wall() + 3_600_000
    await bring(intake, transaction({ schedule: { notBefore, priority: -3 } }))
    expect(await claims(queue)).toEqual([])
    await clock.advance(3_600_000)
    const [claim] = await claims(queue)
    expect(claim?.priority).toBe(-3)
    expect(claim?.expires).toBe(notBefore + 5 * 86_400_000)
  })

  test('that waits for its release is not handed over', async () => {
    const to = handoff(true)
    const { intake, queue, clock } = await worldOf([], { handoff: to })
    await bring(intake, transaction({ schedule: { notBefore: clock.wall() + 3_600_000 } }))
    expect(to.taken).toEqual([])
    await clock.advance(3_600_000)
    expect(await claims(queue)).toHaveLength(1)
  })

  test('keeps by when it is to be delivered', async () => {
    const { intake, queue, clock } = await worldOf()
    const deliverBy = { at: clock.wall() + 60_000, mode: 'return', trace: true } as const
    await bring(intake, transaction({ schedule: { deliverBy } }))
    await bring(intake, transaction())
    const [timed, plain] = await claims(queue)
    expect(timed?.envelope.deliverBy).toEqual(deliverBy)
    expect(plain?.envelope).not.toHaveProperty('deliverBy')
  })

  test('goes to everything that its recipients expand to, once to each place', async () => {
    const { intake, queue } = await worldOf()
    const carol = { to: box('carol@example.org'), destination: { mailbox: 'carol' } }
    const dave = {
      to: box('dave@example.org'),
      destination: { mailbox: 'dave' },
      returnPath: null,
      notify: 'never' as const,
    }
    await bring(
      intake,
      transaction({
        recipients: [
          { to: box('list@example.org'), goesTo: [carol, dave], notify: ['delay'] },
          { to: box('team@example.org'), goesTo: [carol] },
        ],
      }),
    )
    const all = await claims(queue)
    expect(all.map(c => [c.site, c.to.notify, c.to.returnPath]).toSorted(byText)).toEqual([
      ['local:carol', ['delay', 'failure'], undefined],
      ['local:dave', 'never', null],
    ])
    expect(await textOf(all[0])).not.toContain('for <')
  })

  test.each([
    ['never', ['failure'], ['failure']],
    [['success'], 'never', ['success']],
    ['never', undefined, undefined],
    ['never', 'never', 'never'],
    [undefined, ['success'], ['failure', 'delay', 'success']],
    [undefined, undefined, undefined],
  ] as const)('of recipients who meet in one place, NOTIFY %j and %j tell the sender of %j', async (a, b, both) => {
    const { intake, queue } = await worldOf()
    const carol = { to: box('carol@example.org'), destination: { mailbox: 'carol' } }
    const asked = (address: string, notify: typeof a | typeof b): AcceptedRecipient => ({
      to: box(address),
      goesTo: [carol],
      ...(notify !== undefined && { notify }),
    })
    await bring(intake, transaction({ recipients: [asked('list@example.org', a), asked('team@example.org', b)] }))
    expect((await claims(queue)).map(claim => claim.to.notify)).toEqual([both])
  })

  const bob = { to: box('bob@example.org'), destination: { mailbox: 'bob' } }
  const carl = { to: box('carl@example.net'), destination: { transport: 'mx', arg: 'example.net' } }
  const owned = { returnPath: box('owner@example.org') }
  test.each<[string, Partial<AcceptedRecipient>, readonly string[]]>([
    ['§5.2.7.2: one member', { goesTo: [carl], notify: ['success'] }, ['mx:example.net success rfc822;a@example.org']],
    ['the mailbox itself', { to: bob.to, goesTo: [bob], notify: ['success'] }, ['local:bob success -']],
    [
      '§5.2.7.3 (c): several members',
      { goesTo: [bob, carl], notify: ['success', 'delay'], orcpt: 'rfc822;x@old.example' },
      [
        'expanded:alias success rfc822;x@old.example',
        'local:bob delay rfc822;x@old.example',
        'mx:example.net delay rfc822;x@old.example',
      ],
    ],
    [
      '§5.2.7.3 (c): several members and SUCCESS alone',
      { goesTo: [bob, carl], notify: ['success'] },
      ['expanded:alias success -', 'local:bob never rfc822;a@example.org', 'mx:example.net never rfc822;a@example.org'],
    ],
    [
      '§5.2.7.1: a list',
      { goesTo: [{ ...carl, ...owned }], notify: ['success'], orcpt: 'rfc822;x@old.example' },
      ['expanded:list success rfc822;x@old.example', 'mx:example.net - -'],
    ],
    ['§5.2.7.1: a list of which nothing is asked', { goesTo: [{ ...carl, ...owned }] }, ['mx:example.net - -']],
    [
      'RFC 6533 §3: an address beyond ASCII',
      { to: box('gr\u00fcn@example.org'), goesTo: [carl] },
      ['mx:example.net - utf-8;gr\u00fcn@example.org'],
    ],
  ])('asks for reports as RFC 3461 says: %s', async (_, recipient, deliveries) => {
    const { intake, queue } = await worldOf()
    await bring(intake, transaction({ recipients: [to('a@example.org', recipient)] }))
    const asked = (await claims(queue)).map(c => [c.site, c.to.notify ?? '-', c.to.orcpt ?? '-'].join(' '))
    expect(asked.toSorted()).toEqual(deliveries)
  })

  test('says in the journal and in its facts whence it came', async () => {
    const { intake, queue, events } = await worldOf()
    const tls = { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', authorized: true }
    const verdicts = [{ plugin: 'spf', hook: 'mail', verdict: 'pass' }]
    await bring(intake, transaction({ client: { ...transaction().client, tls } }), { verdicts })
    const [claim] = await claims(queue)
    const id = claim?.id
    expect(events).toMatchObject([
      { name: 'message.received', id, sender: 'alice@example.com', recipients: 1, session: 's1', ip: '192.0.2.1' },
    ])
    expect(events[0]?.['size']).toBe((await textOf(claim)).length)
    const entry = id && (await queue.show(id))
    expect(entry?.facts).toEqual({
      session: 's1',
      service: 'mx',
      protocol: 'ESMTP',
      client: { ip: '192.0.2.1', port: 50_000, helo: 'client.example' },
      tls: { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256' },
      verdicts,
    })
  })

  test('waits for an operator when it is held', async () => {
    const { options, queue } = await worldOf()
    const dispatcher = handoff(true)
    await bring(createIntake({ ...options, handoff: dispatcher }), transaction(), { hold: 'spam', tags: ['t'] })
    expect(dispatcher.taken).toEqual([])
    expect(await claims(queue)).toEqual([])
    const { rows } = await queue.list({ and: [] }, { limit: 10 })
    expect(rows).toMatchObject([{ state: 'held', why: 'spam', tags: ['t'] }])
  })
})

describe('handing over to the dispatcher', () => {
  test('happens on the spot when it has room', async () => {
    const { options, queue } = await worldOf()
    const dispatcher = handoff(true)
    await bring(createIntake({ ...options, handoff: dispatcher }))
    expect(dispatcher.taken).toMatchObject([{ site: 'mx:example.net' }])
    expect(await claims(queue)).toEqual([])
  })

  test('does not happen when it has none: the message waits to be claimed', async () => {
    const { options, queue } = await worldOf()
    const dispatcher = handoff(false)
    await bring(createIntake({ ...options, handoff: dispatcher }))
    expect(dispatcher.taken).toEqual([])
    expect(await claims(queue)).toHaveLength(1)
  })

  test('that fails does not take back the 250', async () => {
    const { options, events } = await worldOf()
    const broken = {
      ...handoff(true),
      take: () => {
        throw new Error('bug')
      },
    }
    expect(await bring(createIntake({ ...options, handoff: broken }))).toMatchObject({ code: 250 })
    expect(events.map(e => e.name)).toEqual(['error', 'message.received'])
  })
})

describe('row 47: a store that fails', () => {
  test.each(['begin', 'write', 'end', 'commit'] as const)(
    'at %s is answered 451, a full one 452, never 250, and nothing is kept',
    async at => {
      for (const full of [false, true]) {
        const { options, queue, events } = await worldOf()
        const reply = await bring(createIntake({ ...options, queue: failing(queue, at, storeError(full)) }))
        expect(reply).toMatchObject(full ? { code: 452, enhanced: '4.3.1' } : { code: 451, enhanced: '4.3.0' })
        expect(JSON.stringify(reply)).not.toMatch(/disk|I\/O/)
        expect(events.map(e => e.name)).toEqual([full ? 'queue.full' : 'error'])
        expect(await claims(queue)).toEqual([])
      }
    },
  )

  test('and an error that nobody foresaw is 451 as well', async () => {
    const { options, queue } = await worldOf()
    const reply = await bring(createIntake({ ...options, queue: failing(queue, 'commit', new TypeError('bug')) }))
    expect(reply).toMatchObject({ code: 451 })
  })
})

describe('stamp and seal', () => {
  test('edit in order: stamps, then seals over the result, then the trace field', async () => {
    const seen: string[][] = []
    const { intake, queue } = await worldOf([
      plugin('a', {
        stamp: () => ({
          prepend: [
            ['X-A', '1'],
            ['X-B', '2'],
          ],
          remove: ['subject'],
          tags: ['one'],
        }),
      }),
      plugin('b', {
        stamp: async () => ({ prepend: [['X-C', '3']], remove: ['x-a'], tags: ['one', 'two'], priority: 5 }),
      }),
      plugin('c', {
        seal: (m, c) => {
          seen.push([...m.headers.names()])
          return { prepend: [['X-Seal', c.queueId]] }
        },
      }),
    ])
    await bring(intake)
    const [claim] = await claims(queue)
    expect(seen).toEqual([['x-c', 'x-b', 'to']])
    expect(
      parseHeaders(utf8(await textOf(claim)))
        .names()
        .slice(0, 5),
    ).toEqual(['received', 'x-seal', 'x-c', 'x-b', 'to'])
    expect(claim).toMatchObject({ tags: ['one', 'two'], priority: 5 })
  })

  test('see the message and who it is for, and can read all of it', async () => {
    let text = ''
    const { intake } = await worldOf([
      plugin('a', {
        stamp: async (m, c) => {
          for await (const chunk of m.body.open(c.signal)) text += Buffer.from(chunk).toString()
          text += ` ${c.origin} ${c.sender?.wire} ${c.rcpts.map(r => r.to.wire).join()} ${m.headers.first('subject')}`
          return undefined
        },
      }),
    ])
    await bring(intake)
    expect(text).toBe(`${BODY} mx alice@example.com bob@example.net hi`)
  })

  test('may change the return path', async () => {
    const { intake, queue } = await worldOf([plugin('a', { stamp: () => ({ returnPath: box('srs@example.org') }) })])
    await bring(intake)
    expect((await claims(queue))[0]?.envelope.returnPath).toEqual(box('srs@example.org'))
  })

  test('may add recipients, which are resolved as any other', async () => {
    const { intake, queue } = await worldOf([
      plugin('archive', {
        stamp: () => ({ addRecipients: [{ to: box('archive@example.org'), notify: 'never', returnPath: null }] }),
        resolve: ({ to: { local } }) =>
          local === 'archive' ? { expand: [{ to: box('vault@example.org'), notify: 'never' }] } : { mailbox: local },
      }),
    ])
    await bring(intake)
    expect((await claims(queue)).map(c => [c.site, c.to.notify, c.to.returnPath]).toSorted(byText)).toEqual([
      ['local:vault', 'never', null],
      ['mx:example.net', undefined, undefined],
    ])
  })

  test('may ask for a recipient that they add, and it is asked of where that leads (RFC 3461 §5.2.7)', async () => {
    const members = (...names: string[]) => ({ expand: names.map(name => ({ to: box(`${name}@example.org`) })) })
    const { intake, queue } = await worldOf([
      plugin('copies', {
        stamp: () => ({
          addRecipients: [
            { to: box('archive@example.org'), notify: 'never', returnPath: null },
            { to: box('auditors@example.org'), notify: ['success', 'failure'] },
            { to: box('list@example.org'), notify: ['failure'] },
            { to: box('desk@example.org') },
          ],
        }),
        resolve: ({ to: { local } }) => {
          if (local === 'archive') return members('vault')
          if (local === 'auditors') return members('ann', 'ben')
          if (local === 'desk') return { expand: [{ to: box('cat@example.org'), notify: 'never' }] }
          if (local === 'cat') return { ...members('dan'), keep: 'cat' }
          if (local === 'list') return { ...members('sub'), returnPath: box('owner@example.org') }
          return { mailbox: local }
        },
      }),
    ])
    await bring(intake)
    const found = (await claims(queue)).map(c => [c.site, c.to.notify, c.to.returnPath?.wire ?? c.to.returnPath])
    expect(found.toSorted(byText)).toEqual([
      ['expanded:alias', ['success'], undefined],
      ['local:ann', ['failure'], undefined],
      ['local:ben', ['failure'], undefined],
      ['local:cat', 'never', undefined],
      ['local:dan', undefined, undefined],
      ['local:sub', undefined, 'owner@example.org'],
      ['local:vault', 'never', null],
      ['mx:example.net', undefined, undefined],
    ])
  })

  test('that add somebody who does not exist defer the message: an archive has no holes', async () => {
    const { intake, queue, events } = await worldOf([
      plugin('archive', { stamp: () => ({ addRecipients: [{ to: box('nobody@example.org') }] }) }),
    ])
    expect(await bring(intake)).toMatchObject({ code: 451, enhanced: '4.3.0' })
    expect(await claims(queue)).toEqual([])
    expect(events).toMatchObject([{ name: 'policy.error', why: 'added recipient nobody@example.org: No such mailbox' }])
  })

  test.each(['stamp', 'seal'] as const)('row 51: a plugin that throws in %s defers that message alone', async hook => {
    let broken = true
    const { intake, queue } = await worldOf([
      plugin('bad', {
        [hook]: () => {
          if (broken) throw new Error('secret')
          return undefined
        },
      }),
    ])
    const reply = await bring(intake)
    expect(reply).toMatchObject({ code: 451, enhanced: '4.3.0' })
    expect(JSON.stringify(reply)).not.toContain('secret')
    expect(await claims(queue)).toEqual([])
    broken = false
    expect(await bring(intake)).toMatchObject({ code: 250 })
  })

  test('what they said is kept with the message', async () => {
    const { intake, queue } = await worldOf([plugin('a', { stamp: () => ({ tags: ['t'] }) })])
    await bring(intake)
    const [claim] = await claims(queue)
    expect(claim && (await queue.show(claim.id))?.facts?.['verdicts']).toEqual([
      { plugin: 'a', hook: 'stamp', verdict: 'edit' },
    ])
  })

  test('a UTF-8 value is encoded unless SMTPUTF8 was spoken', async () => {
    const { intake, queue } = await worldOf([plugin('a', { stamp: () => ({ prepend: [['X', 'grün']] }) })])
    await bring(intake)
    await bring(intake, transaction({ smtputf8: true, protocol: 'UTF8SMTP' }))
    const texts = await Promise.all((await claims(queue)).map(textOf))
    expect(texts.map(text => /^X: (.*)$/m.exec(text)?.[1]?.trim()).toSorted(byText)).toEqual([
      '=?UTF-8?B?Z3LDvG4=?=',
      'grün',
    ])
  })
})

test('queued is told after the commit and only then, with the slots of stamp', async () => {
  const seen: Slot<string> = slot('seen')
  const told: unknown[] = []
  const { options, intake, queue } = await worldOf([
    plugin('a', {
      stamp: (_, c) => {
        c.set(seen, 'yes')
        return undefined
      },
      queued: (rcpts, c) => void told.push(c.get(seen), ...rcpts.map(r => r.to.wire)),
    }),
  ])
  await bring(createIntake({ ...options, queue: failing(queue, 'commit', storeError(false)) }))
  expect(told).toEqual([])
  await bring(intake)
  expect(told).toEqual(['yes', 'bob@example.net'])
})

describe('recipients refused after the content', () => {
  const no = reject(550, '5.7.1', 'Not for them')
  const three = [
    to('bob@example.net'),
    to('carol@example.net', { orcpt: 'rfc822;c@x' }),
    to('dave@example.net', { notify: 'never' }),
  ]
  const refused = new Map([
    [1, no],
    [2, no],
  ])

  test('are left out, and the sender hears of those it wants to hear of', async () => {
    const { intake, queue } = await worldOf([
      plugin('way-out', { resolve: ({ to: { domain } }) => ({ transport: 'mx', arg: domain }) }),
    ])
    expect(await bring(intake, transaction({ recipients: three, envid: 'e1' }), { refused })).toMatchObject({
      code: 250,
    })
    const all = await claims(queue)
    expect(all.map(c => [c.site, c.to.to.wire]).toSorted(byText)).toEqual([
      ['mx:example.com', 'alice@example.com'],
      ['mx:example.net', 'bob@example.net'],
    ])
    const report = all.find(c => c.envelope.origin === 'bounce')
    expect(report?.envelope.returnPath).toBeNull()
    const text = await textOf(report)
    expect(text).toContain('Original-Envelope-Id: e1\r\n')
    expect(text).toContain('Original-Recipient: rfc822; c@x\r\nFinal-Recipient: rfc822; carol@example.net\r\n')
    expect(text).toContain('Diagnostic-Code: smtp; 550 5.7.1 Not for them\r\n')
    expect(text).not.toContain('dave@')
    expect(text).toContain(BODY)
  })

  test('of the null sender are left out in silence', async () => {
    const { intake, queue } = await worldOf()
    await bring(intake, transaction({ sender: null, recipients: three }), { refused })
    expect((await claims(queue)).map(c => c.to.to.wire)).toEqual(['bob@example.net'])
  })

  test('have replies of their own in LMTP and with PRDR, and no report', async () => {
    const { intake, queue } = await worldOf()
    const replies = await bring(intake, transaction({ answersEach: true, recipients: three }), { refused })
    expect(replies).toMatchObject([{ code: 250 }, { code: 550 }, { code: 550 }])
    expect((await claims(queue)).map(c => c.to.to.wire)).toEqual(['bob@example.net'])
  })

  test('when the report cannot be kept, nothing is, and the client comes again', async () => {
    const { options, queue } = await worldOf()
    let begun = 0
    const second = {
      ...queue,
      newId: () => queue.newId(),
      begin: () => {
        begun += 1
        if (begun > 1) throw storeError(true)
        return queue.begin()
      },
    }
    expect(
      await bring(createIntake({ ...options, queue: second }), transaction({ recipients: three }), { refused }),
    ).toMatchObject({ code: 452 })
    expect(await claims(queue)).toEqual([])
  })

  test('all of them: the message is refused', async () => {
    const { intake, queue } = await worldOf()
    expect(await bring(intake, transaction(), { refused: new Map([[0, no]]) })).toBe(no)
    expect(await claims(queue)).toEqual([])
  })
})

test('everything before the commit is synchronous when the hooks are', async () => {
  const { options, queue } = await worldOf([
    plugin('a', { stamp: () => ({ tags: ['t'] }), seal: () => ({ prepend: [['X', 'y']] }) }),
  ])
  let committed = false
  const watched = {
    ...queue,
    newId: () => queue.newId(),
    begin: () => {
      const draft = queue.begin()
      const commit: typeof draft.commit = (message, claimFor) => {
        committed = true
        return draft.commit(message, claimFor)
      }
      return { ...draft, commit }
    },
  }
  const pending = bring(createIntake({ ...options, queue: watched }))
  await Promise.resolve()
  expect(committed).toBe(true)
  await pending
})
