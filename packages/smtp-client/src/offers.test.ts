import { describe, expect, test } from 'vitest'
import { bench, body, content, greeting, mail, mailbox, never, streamed, target } from '../test/exchange.ts'
import type { Journal } from '@posthorn/contracts'
import { createClient, type ClientOptions, type Mail } from './index.ts'

const everything = ['PIPELINING', 'SIZE 1000000', '8BITMIME', 'SMTPUTF8', 'DSN', 'STARTTLS', 'ENHANCEDSTATUSCODES']

/** The commands that a message is sent with to a peer with these keywords; the content is read and taken. */
const said = async (keywords: readonly string[], message: Mail, sizeLine = true): Promise<string[]> => {
  const lines: string[] = []
  const b = bench([
    async peer => {
      peer.say('220 hi\r\n')
      await peer.line()
      peer.say(['250-mx', ...keywords.map(k => `250-${k}`), '250 HELP', ''].join('\r\n'))
      for (;;) {
        const line = await peer.line()
        if (line === undefined) return
        if (line === 'DATA') {
          peer.say('354 go\r\n')
          await peer.content()
        } else lines.push(line)
        peer.say('250 ok\r\n')
      }
    },
  ])
  const outcomes = await b.client.send(message, target(), never)
  expect(outcomes.map(o => o.fate)).toEqual(message.recipients.map(() => 'relayed'))
  return sizeLine ? lines : lines.map(line => line.replace(/ SIZE=\d+/, ''))
}

/** A message that this peer cannot be given; it must not hear of it. */
const refused = async (keywords: readonly string[], message: Mail, extra = {}) => {
  const b = bench([`${greeting(...keywords)}X: left`])
  const outcomes = await b.client.send(message, target(extra), never)
  expect(b.network.peers[0]?.writes).toHaveLength(1)
  expect(b.client.idle).toBe(1)
  return outcomes
}

const dsn = (o: Partial<Mail['recipients'][number]>): Mail => ({
  ...mail({ envid: 'QQ=7+', ret: 'hdrs' }),
  recipients: [{ to: mailbox('bob@example.org'), ...o }],
})

describe('a parameter is sent only when it is offered', () => {
  test('SIZE', async () => {
    const text = { body: body('hello\r\n') }
    expect((await said(everything, mail(text)))[0]).toBe('MAIL FROM:<alice@example.com> SIZE=7')
    expect((await said([], mail(text)))[0]).toBe('MAIL FROM:<alice@example.com>')
  })
  test('BODY', async () => {
    const message = mail({ eightBit: '8bitmime' })
    expect((await said(everything, message, false))[0]).toBe('MAIL FROM:<alice@example.com> BODY=8BITMIME')
    expect((await said([], message))[0]).toBe('MAIL FROM:<alice@example.com>')
    expect((await said(everything, mail(), false))[0]).toBe('MAIL FROM:<alice@example.com>')
  })
  test('MT-PRIORITY, where the message has one', async () => {
    const offered = [...everything, 'MT-PRIORITY MIXER']
    expect((await said(offered, mail({ priority: -3 }), false))[0]).toBe('MAIL FROM:<alice@example.com> MT-PRIORITY=-3')
    expect((await said(offered, mail(), false))[0]).toBe('MAIL FROM:<alice@example.com>')
    expect((await said(everything, mail({ priority: -3 }), false))[0]).toBe('MAIL FROM:<alice@example.com>')
  })
  test('SMTPUTF8, and then addresses go out as UTF-8', async () => {
    const message = mail({ smtputf8: true, to: ['用户@例子.example'] })
    const lines = await said(everything, message, false)
    expect(lines.map(line => Buffer.from(line, 'latin1').toString('utf8'))).toEqual([
      'MAIL FROM:<alice@example.com> SMTPUTF8',
      'RCPT TO:<用户@例子.example>',
    ])
  })
  test('RET, ENVID, NOTIFY and ORCPT, in xtext', async () => {
    const message = dsn({ notify: ['success', 'delay'], orcpt: 'rfc822;b+b=c@example.org' })
    expect(await said(everything, message, false)).toEqual([
      'MAIL FROM:<alice@example.com> RET=HDRS ENVID=QQ+3D7+2B',
      'RCPT TO:<bob@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bb+3Dc@example.org',
    ])
    expect((await said(everything, dsn({ notify: 'never' })))[1]).toBe('RCPT TO:<bob@example.org> NOTIFY=NEVER')
    expect((await said(everything, dsn({ orcpt: 'utf-8;é@example.org' })))[1]).toBe(
      'RCPT TO:<bob@example.org> ORCPT=utf-8;\\x{E9}@example.org',
    )
    expect(await said([], message)).toEqual(['MAIL FROM:<alice@example.com>', 'RCPT TO:<bob@example.org>'])
  })
  test('and the duty to report is handed over only with DSN', async () => {
    for (const offered of [true, false]) {
      const b = bench([
        `${greeting('PIPELINING', ...(offered ? ['DSN'] : []))}C: MAIL FROM:<alice@example.com>\nC: RCPT TO:<bob@example.org>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\n${content}S: 250 ok`,
      ])
      const [outcome] = await b.client.send(mail(), target(), never)
      expect(outcome?.dsnTakenOver ?? false).toBe(offered)
    }
  })
})

describe('row 44: a peer without SMTPUTF8', () => {
  const utf8 = (o: Parameters<typeof mail>[0]) => mail({ smtputf8: true, ...o })
  test('gets a message that did not need it after all', async () => {
    expect(await said([], utf8({ body: body('Subject: hi\r\n\r\n\u00e9\r\n') }))).toEqual([
      'MAIL FROM:<alice@example.com>',
      'RCPT TO:<bob@example.org>',
    ])
  })
  test('gets an address of which only the domain was international in A-labels', async () => {
    expect((await said([], utf8({ to: ['bob@bücher.example'] })))[1]).toBe('RCPT TO:<bob@xn--bcher-kva.example>')
  })
  test('is not told of a recipient that it cannot understand, the others are', async () => {
    const b = bench([
      `${greeting('PIPELINING')}C: MAIL FROM:<alice@example.com>\nC: RCPT TO:<bob@example.org>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\n${content}S: 250 ok`,
    ])
    const outcomes = await b.client.send(utf8({ to: ['用户@example.org', 'bob@example.org'] }), target(), never)
    expect(outcomes.map(o => [o.fate, o.status])).toEqual([
      ['failed', '5.6.7'],
      ['relayed', undefined],
    ])
    expect(b.network.faults).toEqual([])
  })
  test('is not given a sender or a header that needs it', async () => {
    const [sender] = await refused([], utf8({ returnPath: mailbox('用户@example.com') }))
    expect(sender).toMatchObject({ fate: 'failed', phase: 'mail', status: '5.6.7' })
    const cut = streamed(['Subject: \u00e9\r', '\n\r\nbody\r\n'])
    expect((await refused([], utf8({ body: cut })))[0]).toMatchObject({ fate: 'failed', status: '5.6.7' })
  })
})

describe('row 44: a peer without 8BITMIME', () => {
  test('gets content declared 8bit that is not', async () => {
    expect(await said([], mail({ eightBit: '8bitmime', body: streamed(['a\r\n', 'b\r\n']) }))).toHaveLength(2)
  })
  const eight = (...head: readonly string[]) =>
    mail({ id: 'q1', eightBit: '8bitmime', body: streamed([...head, '\r\n', 'b\r\n', '\u00e9\r\n']) })
  /** What the peer gets, and the events. */
  const taken = async (message: Mail, o: Partial<ClientOptions> = {}, keywords: readonly string[] = ['SIZE']) => {
    const events: unknown[] = []
    const journal: Journal = { event: (...event) => void events.push(event), child: () => journal }
    let content: string | undefined
    const b = bench([
      async peer => {
        peer.say('220 hi\r\n')
        await peer.line()
        peer.say(['250-mx', ...keywords.map(k => `250-${k}`), '250 HELP', ''].join('\r\n'))
        for (let line = await peer.line(); line !== undefined; line = await peer.line()) {
          if (line === 'DATA') {
            peer.say('354 go\r\n')
            content = await peer.content()
          }
          peer.say('250 ok\r\n')
        }
      },
    ])
    const client = createClient({ network: b.network, clock: b.clock, hostname: 'client.example', journal, ...o })
    const [outcome] = await client.send(message, target(), never)
    await client.close()
    const [, mailFrom] = b.network.peers[0]?.writes ?? []
    return { outcome, content, events, mailFrom }
  }
  test('gets 8bit content as quoted-printable, with its new size, and there is an event', async () => {
    const { outcome, content: got, events, mailFrom } = await taken(eight('Subject: a\r\n', 'MIME-Version: 1.0\r\n'))
    expect(outcome?.fate).toBe('relayed')
    expect(got).toMatch(/^Subject: a\r\nMIME-Version: 1.0\r\n.*\r\n.*: quoted-printable\r\n\r\nb\r\n=C3=A9\r\n$/)
    expect(mailFrom).toBe(`MAIL FROM:<alice@example.com> SIZE=${got?.length}\r\n`)
    expect(events).toEqual([
      [
        'delivery.converted',
        {
          id: 'q1',
          remote: 'mx.example.org[192.0.2.1]:25',
          from: '8bitmime',
          to: '7bit',
          size: 40,
          newSize: got?.length,
        },
      ],
    ])
  })
  test('is not given what is signed, unless told to', async () => {
    const signed = eight('DKIM-Signature: v=1\r\n')
    const { outcome, events } = await taken(signed)
    expect(outcome).toMatchObject({ fate: 'failed', phase: 'mail', status: '5.6.3' })
    expect(outcome?.cause).toContain('a signature covers the content')
    expect(events).toEqual([])
    expect((await taken(signed, { convert: 'always' })).outcome?.fate).toBe('relayed')
  })
  test('is given no 8bit content when nothing may be converted', async () => {
    const message = eight('Subject: a\r\n')
    expect((await taken(message, { convert: 'never' })).outcome).toMatchObject({ fate: 'failed', status: '5.6.3' })
  })
  test('is not given what is too large once it is converted', async () => {
    const message = eight('Subject: a\r\n')
    const { outcome } = await taken(message, {}, ['SIZE 60'])
    expect(outcome).toMatchObject({ fate: 'failed', status: '5.3.4' })
  })
  test('or BINARYMIME gets binary content as base64 in DATA, labelled as what it takes', async () => {
    const binary = mail({ eightBit: 'binarymime', body: body('Content-Type: x/y\r\nMIME-Version: 1.0\r\n\r\na\nb\0') })
    for (const keywords of [['8BITMIME'], [], ['8BITMIME', 'BINARYMIME']]) {
      const { outcome, content: got, mailFrom } = await taken(binary, {}, keywords)
      expect(outcome?.fate).toBe('relayed')
      expect(got).toMatch(/: base64\r\n\r\nYQpiAA==\r\n$/)
      expect(mailFrom).toContain(keywords.includes('8BITMIME') ? ' BODY=8BITMIME\r\n' : 'com>\r\n')
    }
  })
})

describe('row 44: SIZE', () => {
  const message = mail({ body: body('x'.repeat(998) + '\r\n') })
  test('smaller than the message fails it before MAIL', async () => {
    expect(await refused(['SIZE 999'], message)).toMatchObject([{ fate: 'failed', phase: 'mail', status: '5.3.4' }])
  })
  test.each(['SIZE', 'SIZE 0', 'SIZE 1000', 'SIZE 99999999999999999999999', 'SIZE -1', 'SIZE x'])(
    'as "%s" lets it pass',
    async keyword => {
      expect((await said([keyword], message))[0]).toBe('MAIL FROM:<alice@example.com> SIZE=1000')
    },
  )
})

test('row 25: a message that requires TLS goes only where REQUIRETLS is offered under TLS', async () => {
  const message = mail({ requireTls: true })
  for (const keywords of [[], ['REQUIRETLS']])
    expect(await refused(keywords, message)).toMatchObject([{ fate: 'failed', status: '5.7.30' }])
  const need = { level: 'verify', names: ['mx.example.org'], because: 'requiretls' } as const
  const b = bench([
    `${greeting('REQUIRETLS')}C: MAIL FROM:<alice@example.com> REQUIRETLS\nS: 250 ok\nC: RCPT TO:<bob@example.org>\nS: 250 ok\nC: DATA\nS: 354 go\n${content}S: 250 ok`,
  ])
  const [outcome] = await b.client.send(message, target({ implicitTls: true, tls: need }), never)
  expect(outcome?.fate).toBe('relayed')
})

describe('row 44: LIMITS', () => {
  const rcpt = (name: string): string => `C: RCPT TO:<${name}@example.org>`
  const part = (...names: readonly string[]): string =>
    [
      'C: MAIL FROM:<alice@example.com>',
      ...names.map(rcpt),
      'C: DATA\nS: 250 ok',
      ...names.map(() => 'S: 250 ok'),
      `S: 354 go\n${content}S: 250 for ${names.join(' and ')}`,
    ].join('\n')
  const to = ['a', 'b', 'c'].map(name => `${name}@example.org`)

  test('RCPTMAX divides the recipients over several transactions', async () => {
    const b = bench([`${greeting('PIPELINING', 'LIMITS RCPTMAX=2 MAILMAX=100')}${part('a', 'b')}\n${part('c')}`])
    const outcomes = await b.client.send(mail({ to }), target(), never)
    expect(outcomes.map(o => o.cause)).toEqual(['250 for a and b', '250 for a and b', '250 for c'])
    expect(b.network.faults).toEqual([])
  })
  test('of a peer that hangs up at the first part leave nobody without an outcome', async () => {
    const b = bench([
      async peer => {
        peer.say('220 hi\r\n')
        await peer.line()
        peer.say('250-mx\r\n250 LIMITS RCPTMAX=2\r\n')
        await peer.line()
        peer.end()
      },
    ])
    const outcomes = await b.client.send(mail({ to }), target(), never)
    expect(outcomes.map(o => [o.fate, o.phase])).toEqual(to.map(() => ['deferred', 'mail']))
  })
  test('RCPTDOMAINMAX divides them by their domains', async () => {
    const there = ['a@one.example', 'b@ONE.example', 'c@two.example', 'd@one.example']
    const lines = await said(['LIMITS RCPTDOMAINMAX=1'], mail({ to: there }))
    expect(lines.map(line => line.replace(/^MAIL.*/, '--').replace('RCPT TO:', ''))).toEqual([
      '--',
      '<a@one.example>',
      '<b@ONE.example>',
      '--',
      '<c@two.example>',
      '--',
      '<d@one.example>',
    ])
  })
  test('MAILMAX ends the connection after so many messages', async () => {
    const b = bench([
      `${greeting('PIPELINING', 'LIMITS MAILMAX=1')}${part('a')}\nC: QUIT`,
      `${greeting('PIPELINING')}${part('b')}`,
    ])
    for (const name of ['a', 'b'])
      expect((await b.client.send(mail({ to: [`${name}@example.org`] }), target(), never))[0]?.fate).toBe('relayed')
    expect(b.network.faults).toEqual([])
  })
  test.each(['LIMITS', 'LIMITS RCPTMAX=0 MAILMAX=0', 'LIMITS RCPTMAX=x'])('as "%s" means none', async keyword => {
    const b = bench([`${greeting('PIPELINING', keyword)}${part('a', 'b', 'c')}`])
    expect(await b.client.send(mail({ to }), target(), never)).toHaveLength(3)
    expect([b.network.faults, b.client.idle]).toEqual([[], 1])
  })
})

test('row 44: a peer that knows only HELO gets plain SMTP', async () => {
  const b = bench([
    [
      'S: 220 hi\nC: EHLO client.example\nS: 502 what?\nC: HELO client.example\nS: 250 mx',
      'C: MAIL FROM:<alice@example.com>\nS: 250 ok\nC: RCPT TO:<bob@example.org>\nS: 250 ok',
      `C: DATA\nS: 354 go\n${content}S: 250 ok`,
    ].join('\n'),
  ])
  expect((await b.client.send(dsn({ notify: 'never' }), target(), never))[0]).toMatchObject({ fate: 'relayed' })
  expect(b.network.faults).toEqual([])
})

test('a line break in what came from outside stops the message, not the protocol', async () => {
  const b = bench([`${greeting('DSN')}X: left`])
  const [outcome] = await b.client.send(dsn({ orcpt: 'x\r\nDATA;a' }), target(), never)
  expect(outcome).toMatchObject({ fate: 'deferred', status: '4.3.0' })
  expect(b.network.peers[0]?.writes.join('')).toBe('EHLO client.example\r\n')
})
