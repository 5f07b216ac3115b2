import { describe, expect, test } from 'vitest'
import { definePlugin, pass, slot } from '@posthorn/plugin'
import { defer, insufficientStorage, queuedAs, reject } from '@posthorn/reply'
import { createListener } from '@posthorn/smtp-listener'
import { parseTranscript } from '@posthorn/testkit'
import { mailbox, testIntake, testJournal, world, type Client } from './world.ts'
import type { Chain } from '@posthorn/plugin'

const open = async (client: Client): Promise<void> => {
  await client.reply()
  await client.ask('EHLO client.test')
}
const envelope = ['MAIL FROM:<ann@client.test>', 'RCPT TO:<bob@example.org>', 'DATA'] as const
const message = 'Subject: hello\r\n\r\nHello\r\n.\r\n'
const group = `${envelope.join('\r\n')}\r\n`

describe('replies', () => {
  test('those of a group leave in one write', async () => {
    const { dial } = await world()
    const client = dial()
    await open(client)
    client.pieces.length = 0
    await client.send(group)
    expect(client.pieces).toEqual([
      '250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n',
    ])
  })

  test('those of a group whose policies take their time leave in one write too', async () => {
    const { dial } = await world({ plugins: ['slow'] })
    const client = dial()
    await open(client)
    client.pieces.length = 0
    await client.send(group)
    await client.reply()
    expect(client.pieces.length).toBe(1)
  })

  test('one that ends its group does not wait for those of later commands', async () => {
    const { dial } = await world()
    const client = dial()
    await open(client)
    client.pieces.length = 0
    await client.send('NOOP\r\nRSET\r\nRSET\r\n')
    await client.ask('NOOP')
    expect(client.pieces.slice(0, 2)).toEqual(['250 2.0.0 Ok\r\n', '250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n'])
  })

  test('of a message that came with its commands and is being stored wait for its reply', async () => {
    const { dial, intake } = await world()
    intake.conclude = async () => queuedAs('x')
    const client = dial()
    await open(client)
    await client.send(group + message + group + message)
    const lines: (string | undefined)[] = []
    for (let i = 0; i < 8; i += 1) lines.push((await client.reply())?.slice(0, 3))
    expect(lines).toEqual(['250', '250', '354', '250', '250', '250', '354', '250'])
    expect(intake.taken.length).toBe(2)
  })

  test('of several lines bear the code on each', async () => {
    const wordy = definePlugin({ name: 'wordy', setup: () => ({ mail: () => reject(550, '5.7.1', 'One', 'Two') }) })
    const { dial } = await world({ plugins: [wordy] })
    const client = dial()
    await open(client)
    expect(await client.ask('MAIL FROM:<ann@client.test>')).toEqual(['550-5.7.1 One|550 5.7.1 Two'])
  })
})

describe('faults of the library that ours must not have (D1)', () => {
  test('the greeting waits for nothing', async () => {
    const { dial, clock } = await world()
    expect(await dial().reply()).toBe('220 mx.example.org ESMTP')
    expect(clock.monotonic()).toBe(0)
  })

  test('enhanced codes are those that the policy gave, not derived from the number', async () => {
    const own = definePlugin({ name: 'own', setup: () => ({ mail: () => reject(550, '5.7.23', 'SPF says no') }) })
    const { dial } = await world({ plugins: [own] })
    const client = dial()
    await open(client)
    expect(await client.ask('MAIL FROM:<ann@client.test>')).toEqual(['550 5.7.23 SPF says no'])
  })

  test('the intake may refuse before 354, and then the transaction is over', async () => {
    const { dial, intake } = await world()
    intake.refusal = insufficientStorage
    const client = dial()
    await open(client)
    expect((await client.ask(...envelope))[2]).toBe('452 4.3.1 Insufficient system storage')
    expect(await client.ask('DATA')).toEqual(['503 5.5.1 Send MAIL first'])
  })

  test('the parameters of a rejected MAIL are not in the next transaction', async () => {
    const { dial, intake } = await world({ plugins: ['no-sender'] })
    const client = dial()
    await open(client)
    await client.ask('MAIL FROM:<spam@client.test> RET=HDRS ENVID=abc SMTPUTF8 BODY=8BITMIME SIZE=77')
    await client.ask(...envelope)
    await client.send(message)
    await client.reply()
    const transaction = intake.taken[0]?.transaction
    expect(transaction).toMatchObject({ smtputf8: false, body: '7bit', requireTls: false })
    expect(Object.keys(transaction ?? {})).not.toContain('envid')
    expect(Object.keys(transaction ?? {})).not.toContain('ret')
    expect(Object.keys(transaction ?? {})).not.toContain('size')
  })

  test('a promise rejected by the store is answered, and the text stays inside', async () => {
    const { dial, intake, events } = await world()
    intake.conclude = () => Promise.reject(new Error('disk sda1 failed'))
    const client = dial()
    await open(client)
    await client.ask(...envelope)
    await client.send(message)
    expect(await client.reply()).toBe('451 4.3.0 Local error, try again later')
    expect(events.find(e => e.name === 'error')?.fields['message']).toBe('disk sda1 failed')
    expect(await client.ask('NOOP')).toEqual(['250 2.0.0 Ok'])
  })

  test.each(['write', 'write-later', 'commit', 'begin'])('a store that throws at %s is answered 451', async where => {
    const { dial, intake } = await world()
    const fail = (): never => {
      throw new Error('bug')
    }
    if (where === 'write') intake.onWrite = fail
    if (where === 'write-later') intake.onWrite = () => Promise.reject(new Error('bug'))
    if (where === 'commit') intake.conclude = fail
    if (where === 'begin') intake.begin = fail
    const client = dial()
    await open(client)
    const replies = await client.ask(...envelope)
    if (where !== 'begin') {
      await client.send(message)
      replies.push(await client.reply())
    }
    expect(replies.at(-1)).toBe('451 4.3.0 Local error, try again later')
    expect(await client.ask(...envelope.slice(0, 2))).toEqual(['250 2.1.0 Sender ok', '250 2.1.5 Recipient ok'])
  })

  test('octets before the greeting are noticed', async () => {
    let go: () => void = () => {}
    const slow = definePlugin({
      name: 'slow',
      setup: () => ({ connect: () => new Promise(resolve => (go = (): void => resolve(pass))) }),
    })
    const { dial, events } = await world({ plugins: [slow] })
    const client = dial()
    await client.send('EHL')
    go()
    await client.reply()
    expect(events.find(e => e.name === 'session.opened')?.fields['early']).toBe(true)
    const patient = dial()
    go()
    await patient.reply()
    expect(events.filter(e => e.name === 'session.opened')[1]?.fields['early']).toBe(false)
  })

  test('row 28: a million commands that bring no mail are not answered a million times', async () => {
    const { dial, listener } = await world()
    const client = dial()
    await open(client)
    for (let i = 0; i < 100 && !client.isClosed; i += 1) await client.send('RSET\r\nNOOP\r\n'.repeat(5000))
    await client.closed()
    expect(client.unread()?.split('\r\n').length).toBeLessThan(110)
    expect(client.unread()).toContain('421 4.7.0 Too many commands')
    expect(listener.sessions).toBe(0)
  })

  test('row 21: plain text where TLS was agreed on closes the connection', async () => {
    const { dial, intake, listener, clock } = await world()
    const client = dial()
    await open(client)
    await client.ask('STARTTLS')
    await client.send(`EHLO client.test\r\n${group}`)
    expect(await client.closed()).toBe(true)
    await clock.advance(1)
    expect(intake.taken).toEqual([])
    expect(listener.sessions).toBe(0)
  })
})

describe('what the intake is told', () => {
  test('all of the transaction', async () => {
    const { dial, intake } = await world()
    const client = dial()
    await open(client)
    await client.ask(
      'MAIL FROM:<ann@client.test> RET=HDRS ENVID=QQ314159 BODY=8BITMIME SIZE=77',
      'RCPT TO:<bob@example.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob@old.test',
      'RCPT TO:<carol@example.org> NOTIFY=NEVER',
      'DATA',
    )
    await client.send(message)
    await client.reply()
    expect(intake.taken[0]?.transaction).toMatchObject({
      service: 'mx',
      origin: 'mx',
      protocol: 'ESMTP',
      client: { ip: '192.0.2.1', port: 40_000, helo: 'client.test', tls: undefined, user: undefined },
      sender: mailbox('ann@client.test'),
      recipients: [
        {
          to: mailbox('bob@example.org'),
          notify: ['success', 'failure'],
          orcpt: 'rfc822;bob@old.test',
          goesTo: [{ to: mailbox('bob@example.org'), destination: { mailbox: 'bob' } }],
        },
        { to: mailbox('carol@example.org'), notify: 'never' },
      ],
      smtputf8: false,
      body: '8bitmime',
      envid: 'QQ314159',
      ret: 'hdrs',
      requireTls: false,
      size: 77,
    })
  })

  test('a recipient named twice is one', async () => {
    const { dial, intake } = await world()
    const client = dial()
    await open(client)
    const bob = 'RCPT TO:<bob@example.org>'
    await client.ask('MAIL FROM:<ann@client.test>', bob, bob, 'DATA')
    await client.send(message)
    await client.reply()
    expect(intake.taken[0]?.transaction.recipients.length).toBe(1)
  })

  test('where an alias leads, each place once, with its owner as return path', async () => {
    const { dial, intake, events } = await world()
    const client = dial()
    await open(client)
    await client.ask(
      'MAIL FROM:<ann@client.test>',
      'RCPT TO:<team@example.org>',
      'RCPT TO:<list@example.org>',
      'RCPT TO:<some@example.org>',
      'DATA',
    )
    await client.send(message)
    await client.reply()
    const [team, list, some] = intake.taken[0]?.transaction.recipients ?? []
    expect(team?.goesTo.map(r => r.to.wire)).toEqual(['bob@example.org', 'carol@example.org'])
    expect(list?.goesTo.map(r => [r.to.wire, r.returnPath, r.destination])).toEqual([
      ['carol@example.org', null, { mailbox: 'carol' }],
      ['x@far.test', null, { transport: 'mx', arg: 'far.test' }],
      ['bob@example.org', null, { mailbox: 'bob' }],
    ])
    expect(some?.goesTo.map(r => r.to.wire)).toEqual(['bob@example.org'])
    expect(events.find(e => e.name === 'policy.verdict')?.fields).toMatchObject({
      rcpt: 'some@example.org',
      members: ['nobody@example.org'],
    })
  })

  test.each([
    ['EHLO client.test', '', 'ESMTP'],
    ['HELO client.test', '', 'SMTP'],
    ['EHLO client.test', ' SMTPUTF8', 'UTF8SMTP'],
  ])('the protocol of %s%s is %3$s', async (hello, parameter, protocol) => {
    const { dial, intake } = await world()
    const client = dial()
    await client.reply()
    await client.ask(hello, `MAIL FROM:<ann@client.test>${parameter}`, 'RCPT TO:<bob@example.org>', 'DATA')
    await client.send(message)
    await client.reply()
    expect(intake.taken[0]?.transaction.protocol).toBe(protocol)
  })

  test('the protocol and the TLS facts of an authenticated session under TLS', async () => {
    const { dial, intake } = await world({ service: 'submission', overrides: { implicitTls: true } })
    const client = dial()
    await client.secure()
    await open(client)
    await client.ask(`AUTH PLAIN ${Buffer.from('\0ann\0secret').toString('base64')}`, ...envelope)
    await client.send(message)
    await client.reply()
    const transaction = intake.taken[0]?.transaction
    expect(transaction?.protocol).toBe('ESMTPSA')
    expect(transaction?.client).toMatchObject({ user: 'ann', tls: { version: 'TLSv1.3' } })
  })

  test('every verdict that fell on the way, those of another message not', async () => {
    const { dial, intake } = await world({ plugins: ['hold', 'no-sender'] })
    const client = dial()
    await open(client)
    await client.ask('MAIL FROM:<spam@client.test>')
    await client.ask(...envelope)
    await client.send(message)
    await client.reply()
    const verdicts = intake.taken[0]?.disposition?.verdicts.map(v => `${v.plugin} ${v.hook} ${v.verdict}`)
    expect(intake.taken[0]?.disposition?.hold).toBe('looks odd')
    expect(verdicts).toContain('hold message hold')
    expect(verdicts?.join()).not.toContain('no-sender')
  })

  test('recipients that the message hook refused, by their index', async () => {
    const { dial, intake } = await world({ plugins: ['not-carol'] })
    const client = dial()
    await open(client)
    await client.ask('MAIL FROM:<ann@client.test>', 'RCPT TO:<bob@example.org>', 'RCPT TO:<carol@example.org>', 'DATA')
    await client.send(message)
    expect(await client.reply()).toMatch(/^250 /)
    const refused = intake.taken[0]?.disposition?.refused
    expect([...(refused ?? [])].map(([i, r]) => [i, r.enhanced])).toEqual([[1, '5.7.1']])
  })
})

describe('plugins', () => {
  test('see the dialogue grow, keep slots, and lose those of EHLO when TLS begins', async () => {
    const met = slot<string>('met')
    const named = slot<string>('named')
    const mine = slot<number>('mine')
    const seen: unknown[] = []
    const watch = definePlugin({
      name: 'watch',
      setup: () => ({
        connect: (_i, c) => (c.set(met, c.ip), pass),
        ehlo: (name, c) => (
          seen.push([name, c.helo, c.tls?.version, c.get(met), c.get(named)]),
          c.set(named, name),
          pass
        ),
        mail: (_s, c) => (seen.push([c.helo, c.get(met), c.get(named), c.get(mine)]), c.set(mine, 1), pass),
        data: (r, c) => (seen.push([r.length, c.get(mine), c.accepted[0]?.to.local]), pass),
      }),
    })
    const { dial } = await world({ plugins: [watch] })
    const client = dial()
    await client.reply()
    await client.ask('EHLO one.test', 'EHLO two.test', ...envelope)
    await client.send(message)
    await client.reply()
    await client.ask('MAIL FROM:<ann@client.test>', 'RSET', 'STARTTLS')
    await client.secure()
    await client.ask('EHLO three.test')
    expect(seen).toEqual([
      ['one.test', 'one.test', undefined, '192.0.2.1', undefined],
      ['two.test', 'two.test', undefined, '192.0.2.1', 'one.test'],
      ['two.test', '192.0.2.1', 'two.test', undefined],
      [1, 1, 'bob'],
      ['two.test', '192.0.2.1', 'two.test', undefined],
      ['three.test', 'three.test', 'TLSv1.3', '192.0.2.1', undefined],
    ])
  })

  test('are told when the client has gone, and their signal aborts', async () => {
    const told: string[] = []
    const watch = definePlugin({
      name: 'watch',
      setup: () => ({
        mail: (_s, c) => {
          c.signal.addEventListener('abort', () => told.push('aborted'))
          return new Promise(() => {})
        },
        closed: () => void told.push('closed'),
      }),
    })
    const { dial, listener, clock } = await world({ plugins: [watch] })
    const client = dial()
    await open(client)
    await client.send('MAIL FROM:<ann@client.test>\r\n')
    client.reset()
    await clock.advance(1)
    expect(told).toEqual(['aborted', 'closed'])
    expect(listener.sessions).toBe(0)
  })

  test('that answer after the client has gone accept nothing for it', async () => {
    let answer: () => void = () => {}
    const late = definePlugin({
      name: 'late',
      setup: () => ({ message: () => new Promise(resolve => (answer = (): void => resolve(pass))) }),
    })
    const { dial, intake, clock } = await world({ plugins: [late] })
    const client = dial()
    await open(client)
    await client.ask(...envelope)
    await client.send(message)
    client.reset()
    await clock.advance(1)
    answer()
    await clock.advance(1)
    expect(intake.taken.map(t => t.fate)).toEqual(['aborted'])
  })

  test('that hang up at the headers let the message end first', async () => {
    const rude = definePlugin({
      name: 'rude',
      setup: () => ({ headers: () => ({ hangUp: defer(421, '4.7.0', 'Go away') }) }),
    })
    const { dial, intake } = await world({ plugins: [rude] })
    const client = dial()
    await open(client)
    await client.ask(...envelope)
    await client.send('Subject: a\r\n\r\n')
    expect(client.unread()).toBeUndefined()
    await client.send('more\r\n.\r\n')
    expect(await client.reply()).toBe('421 4.7.0 Go away')
    expect(await client.closed()).toBe(true)
    expect(intake.taken.map(t => t.fate)).toEqual(['aborted'])
  })
})

describe('events', () => {
  test('say who came and what became of the mail, and no secret', async () => {
    const { dial, events, trace, listener, clock } = await world({
      service: 'submission',
      overrides: { authRequiresTls: false },
    })
    const client = dial()
    await open(client)
    const wrong = Buffer.from('\0ann\0hunter2').toString('base64')
    const right = Buffer.from('\0ann\0secret').toString('base64')
    await client.ask(`AUTH PLAIN ${wrong}`, 'AUTH PLAIN')
    await client.ask(right)
    await client.ask('MAIL FROM:<ann@client.test>', 'RCPT TO:<nobody@example.org>', 'QUIT')
    await client.closed()
    await clock.advance(1)
    expect(events.map(e => e.name)).toEqual([
      'session.opened',
      'auth.failed',
      'auth.ok',
      'message.rejected',
      'session.closed',
    ])
    expect(events[1]?.fields).toMatchObject({ user: 'ann', mechanism: 'PLAIN', ip: '192.0.2.1', service: 'submission' })
    expect(events[3]?.fields).toMatchObject({
      at: 'rcpt',
      sender: 'ann@client.test',
      rcpt: 'nobody@example.org',
      reply: '550 5.1.1 No such mailbox',
    })
    const all = JSON.stringify(events) + trace.join('\n')
    for (const secret of [wrong, right, 'hunter2', 'secret']) expect(all).not.toContain(secret)
    expect(listener.sessions).toBe(0)
  })

  test.each([
    ['mail', reject(550, '5.7.1', 'No'), { at: 'mail', plugin: 'strict', hook: 'mail' }],
    ['rcpt', reject(550, '5.7.1', 'No'), { at: 'rcpt', plugin: 'strict', hook: 'rcpt' }],
    ['data', reject(550, '5.7.1', 'No'), { at: 'data', plugin: 'strict', hook: 'data' }],
    ['headers', reject(550, '5.7.1', 'No'), { at: 'dot', plugin: 'strict', hook: 'headers' }],
    ['message', reject(550, '5.7.1', 'No'), { at: 'dot', plugin: 'strict', hook: 'message' }],
  ] as const)('a refusal names the plugin and the hook: %s', async (hook, no, expected) => {
    const strict = definePlugin({ name: 'strict', setup: () => ({ [hook]: () => no }) })
    const { dial, events } = await world({ plugins: [strict] })
    const client = dial()
    await open(client)
    await client.ask(...envelope)
    await client.send('Subject: a\r\n\r\nHi\r\n.\r\n')
    await client.ask('QUIT')
    await client.closed()
    expect(events.find(e => e.name === 'message.rejected')?.fields).toMatchObject(expected)
  })

  test('a refusal of ours names no plugin, also when one refused before', async () => {
    const strict = definePlugin({
      name: 'strict',
      setup: () => ({ rcpt: r => (r.to.local === 'eve' ? reject(550, '5.1.1', 'No such mailbox') : pass) }),
    })
    const { dial, events } = await world({ plugins: [strict] })
    const client = dial()
    await open(client)
    await client.ask('MAIL FROM:<ann@client.test>', 'RCPT TO:<eve@example.org>', 'RCPT TO:<nobody@example.org>')
    await client.ask('RCPT TO:<x@elsewhere.test>', 'QUIT')
    await client.closed()
    const refused = events.filter(e => e.name === 'message.rejected').map(e => [e.fields['rcpt'], e.fields['plugin']])
    expect(refused).toEqual([
      ['eve@example.org', 'strict'],
      ['nobody@example.org', undefined],
      ['x@elsewhere.test', undefined],
    ])
  })

  test('a trace is a transcript', async () => {
    const { dial, trace } = await world()
    const client = dial()
    await open(client)
    await client.ask('NOOP "x\\y"')
    await client.send('MAIL FROM:<\xff>\r\n')
    await client.reply()
    await client.ask('QUIT')
    await client.closed()
    const { steps } = parseTranscript(trace.join('\n'))
    expect(steps.filter(s => s.do === 'send').map(s => Buffer.from(s.bytes).toString('latin1'))).toEqual([
      'EHLO client.test\r\n',
      'NOOP "x\\y"\r\n',
      'MAIL FROM:<\xff>\r\n',
      'QUIT\r\n',
    ])
    expect(trace.at(-1)).toBe('X: closed')
  })
})

describe('configuration', () => {
  const deps = { clock: undefined as never, random: undefined as never, journal: testJournal() }
  const service = {
    name: 'mx',
    origin: 'mx',
    protocol: 'smtp',
    hostname: 'mx.example.org',
    chain: { ehlo: [] } as unknown as Chain,
    intake: testIntake(),
  } as const

  test('a host name that is no domain is refused', () => {
    expect(() => createListener({ ...service, hostname: 'not a host' }, deps)).toThrow('not a host name: "not a host"')
  })
  test('implicit TLS without a certificate is refused', () => {
    expect(() => createListener({ ...service, implicitTls: true }, deps)).toThrow(
      'service mx has implicit TLS and no certificate',
    )
  })
  test('a mechanism that does not exist is refused', () => {
    expect(() => createListener({ ...service, mechanisms: ['PLAIN', 'CRAM-MD5'] }, deps)).toThrow(
      'no SASL mechanism of that name: "CRAM-MD5"',
    )
  })
})
