import { describe, expect, test } from 'vitest'
import { bench, body, content, greeting, mail, mailbox, never, streamed, target } from '../test/exchange.ts'
import type { Mail } from './index.ts'

const pipelining = greeting('PIPELINING')
const envelope = ['C: MAIL FROM:<alice@example.com>', 'C: RCPT TO:<bob@example.org>', 'C: DATA', ''].join('\n')
const twoTo = ['bob@example.org', 'eve@example.org']
const forTwo = [
  'C: MAIL FROM:<alice@example.com>',
  'C: RCPT TO:<bob@example.org>',
  'C: RCPT TO:<eve@example.org>',
  'C: DATA',
  '',
].join('\n')

const send = async (script: string, message: Mail = mail(), to = target()) => {
  const b = bench([script])
  const outcomes = await b.client.send(message, to, never)
  expect(b.network.faults).toEqual([])
  return { ...b, outcomes, peer: b.network.peers[0] }
}

describe('a message that is taken', () => {
  test('is relayed, with one write for the commands and one for the content', async () => {
    const { outcomes, peer, client } = await send(
      `${pipelining}${envelope}S: 250 ok\nS: 250 ok\nS: 354 go\n${content}S: 250 2.0.0 queued as 7`,
    )
    expect(outcomes).toEqual([
      {
        fate: 'relayed',
        phase: 'dot',
        cause: '250 2.0.0 queued as 7',
        reply: { code: 250, enhanced: '2.0.0', lines: ['queued as 7'] },
        remote: 'mx.example.org[192.0.2.1]:25',
        tlsPolicy: 'test',
      },
    ])
    expect(peer?.writes).toHaveLength(3)
    expect(client.idle).toBe(1)
  })
  test('is sent step by step when the peer does not pipeline', async () => {
    const { outcomes, peer } = await send(
      [
        greeting(),
        'C: MAIL FROM:<alice@example.com>\nS: 250 ok',
        'C: RCPT TO:<bob@example.org>\nS: 251 will forward',
        `C: DATA\nS: 354 go\n${content}S: 250 ok`,
      ].join('\n'),
    )
    expect(outcomes[0]?.fate).toBe('relayed')
    expect(peer?.writes).toHaveLength(5)
  })
  test('of the null sender has an empty path', async () => {
    const script = `${pipelining}C: MAIL FROM:<>\nC: RCPT TO:<bob@example.org>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\n${content}S: 250 ok`
    expect((await send(script, mail({ returnPath: null }))).outcomes[0]?.fate).toBe('relayed')
  })
  test('may be answered in many lines and split anywhere', async () => {
    const b = bench([
      async peer => {
        for (const c of '220-hi\r\n220 there\r\n') peer.say(c)
        await peer.line()
        for (const c of '250-mx\r\n250 PIPELINING\r\n') peer.say(c)
        for (let i = 0; i < 3; i++) await peer.line()
        for (const c of '250 ok\r\n250 ok\r\n354 go\r\n') peer.say(c)
        await peer.content()
        for (const c of '250-2.0.0 first\r\n250 2.0.0 second\r\n') peer.say(c)
      },
    ])
    const [outcome] = await b.client.send(mail(), target(), never)
    expect(outcome).toMatchObject({ fate: 'relayed', reply: { enhanced: '2.0.0', lines: ['first', 'second'] } })
  })
})

describe('a message that is refused', () => {
  test('row 44: mixed RCPT replies give each recipient its own outcome', async () => {
    const to = ['a@example.org', 'b@example.org', 'c@example.org', 'd@example.org']
    const rcpts = to.map(address => `C: RCPT TO:<${address}>`).join('\n')
    const { outcomes } = await send(
      [
        `${pipelining}C: MAIL FROM:<alice@example.com>\n${rcpts}\nC: DATA\nS: 250 ok`,
        'S: 250 ok\nS: 550 5.1.1 who?\nS: 452 4.5.3 too many\nS: 252 perhaps',
        `S: 354 go\n${content}S: 250 ok`,
      ].join('\n'),
      mail({ to }),
    )
    expect(outcomes.map(o => [o.fate, o.phase, o.reply?.code])).toEqual([
      ['relayed', 'dot', 250],
      ['failed', 'rcpt', 550],
      ['deferred', 'rcpt', 452],
      ['relayed', 'dot', 250],
    ])
    expect(outcomes[1]?.reply).toEqual({ code: 550, enhanced: '5.1.1', lines: ['who?'] })
  })
  test('row 17: when every RCPT failed and the peer still says 354, it gets the dot alone', async () => {
    const { outcomes, client } = await send(
      `${pipelining}${forTwo}S: 250 ok\nS: 550 no\nS: 450 later\nS: 354 go\nC: .\nS: 554 no recipients`,
      mail({ to: twoTo }),
    )
    expect(outcomes.map(o => [o.fate, o.reply?.code])).toEqual([
      ['failed', 550],
      ['deferred', 450],
    ])
    expect(client.idle).toBe(1)
  })
  test('row 17: when every RCPT failed and DATA too, the next message is preceded by RSET', async () => {
    const b = bench([
      `${pipelining}${envelope}S: 250 ok\nS: 550 no\nS: 503 no recipients\nC: RSET\n${envelope}S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\n${content}S: 250 ok`,
    ])
    expect((await b.client.send(mail(), target(), never))[0]).toMatchObject({ fate: 'failed', phase: 'rcpt' })
    expect((await b.client.send(mail(), target(), never))[0]).toMatchObject({ fate: 'relayed' })
    expect(b.network.faults).toEqual([])
  })
  test('at MAIL is refused for all, and the replies to what was pipelined are read', async () => {
    const { outcomes, client } = await send(
      `${pipelining}${forTwo}S: 550 5.7.1 not you\nS: 503 MAIL first\nS: 503 MAIL first\nS: 503 MAIL first`,
      mail({ to: twoTo }),
    )
    expect(outcomes.map(o => [o.fate, o.phase, o.reply?.code])).toEqual([
      ['failed', 'mail', 550],
      ['failed', 'mail', 550],
    ])
    expect(client.idle).toBe(1)
  })
  test('at MAIL without pipelining asks for nothing more', async () => {
    const { outcomes, peer } = await send(`${greeting()}C: MAIL FROM:<alice@example.com>\nS: 450 4.7.1 slow down`)
    expect(outcomes[0]).toMatchObject({ fate: 'deferred', phase: 'mail' })
    expect(peer?.writes).toHaveLength(2)
  })
  test('at RCPT without pipelining does not say DATA', async () => {
    const { peer } = await send(
      `${greeting()}C: MAIL FROM:<alice@example.com>\nS: 250 ok\nC: RCPT TO:<bob@example.org>\nS: 550 no`,
    )
    expect(peer?.writes.join('')).not.toContain('DATA')
  })
  test.each([
    [451, 'deferred'],
    [554, 'failed'],
  ] as const)('with %i at DATA or after the dot is %s', async (code, fate) => {
    const atData = await send(`${pipelining}${envelope}S: 250 ok\nS: 250 ok\nS: ${code} no`)
    expect(atData.outcomes[0]).toMatchObject({ fate, phase: 'data', reply: { code } })
    const atDot = await send(`${pipelining}${envelope}S: 250 ok\nS: 250 ok\nS: 354 go\n${content}S: ${code} no`)
    expect(atDot.outcomes[0]).toMatchObject({ fate, phase: 'dot', reply: { code } })
    expect(atDot.client.idle).toBe(1)
  })
})

describe('LMTP', () => {
  const hello = pipelining.replace('EHLO', 'LHLO')
  const to = target({ protocol: 'lmtp' })
  const data = `${hello}${forTwo}S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\n${content}`

  test('has one reply for each recipient that was taken, in their order', async () => {
    const { outcomes } = await send(`${data}S: 250 2.1.5 delivered\nS: 452 4.2.2 full`, mail({ to: twoTo }), to)
    expect(outcomes.map(o => [o.fate, o.phase, o.reply?.code])).toEqual([
      ['delivered', 'dot', 250],
      ['deferred', 'dot', 452],
    ])
  })
  test('with a recipient refused has no reply for that one', async () => {
    const script = `${hello}${forTwo}S: 250 ok\nS: 550 no\nS: 250 ok\nS: 354 go\n${content}S: 250 delivered`
    const { outcomes } = await send(script, mail({ to: twoTo }), to)
    expect(outcomes.map(o => o.fate)).toEqual(['failed', 'delivered'])
  })
  test('row 44: short by one reply leaves that recipient unknown', async () => {
    const { outcomes } = await send(`${data}S: 250 delivered\nX: end`, mail({ to: twoTo }), to)
    expect(outcomes.map(o => [o.fate, o.phase])).toEqual([
      ['delivered', 'dot'],
      ['unknown', 'dot'],
    ])
  })
  test('says LHLO and never falls back to HELO', async () => {
    const { outcomes, peer } = await send('S: 220 hi\nC: LHLO client.example\nS: 500 what?', mail(), to)
    expect(outcomes[0]).toMatchObject({ fate: 'deferred', phase: 'ehlo' })
    expect(peer?.writes.join('')).not.toContain('HELO ')
  })
  test('that asks for content for nobody is left', async () => {
    const script = `${hello}${forTwo}S: 250 ok\nS: 550 no\nS: 550 no\nS: 354 go\nX: left`
    const { outcomes, client } = await send(script, mail({ to: twoTo }), to)
    expect(outcomes.map(o => o.fate)).toEqual(['failed', 'failed'])
    expect(client.idle).toBe(0)
  })
})

describe('content', () => {
  const go = `${pipelining}${envelope}S: 250 ok\nS: 250 ok\nS: 354 go\n`
  const taken = async (message: Mail): Promise<string | undefined> => {
    let got: string | undefined
    const b = bench([
      async peer => {
        peer.say('220 hi\r\n')
        await peer.line()
        peer.say('250-mx\r\n250 PIPELINING\r\n')
        for (let i = 0; i < 3; i++) await peer.line()
        peer.say('250 ok\r\n250 ok\r\n354 go\r\n')
        got = await peer.content()
        peer.say('250 ok\r\n')
      },
    ])
    expect((await b.client.send(message, target(), never))[0]?.fate).toBe('relayed')
    return got
  }

  test('has its dots doubled, in memory and streamed, wherever the chunks are cut', async () => {
    const text = '.a\r\n..\r\nb.\r\n.\r\n'
    const stuffed = '..a\r\n...\r\nb.\r\n..\r\n'
    expect(await taken(mail({ body: body(text) }))).toBe(stuffed)
    expect(await taken(mail({ body: streamed([text]) }))).toBe(stuffed)
    expect(await taken(mail({ body: streamed(text.split('')) }))).toBe(stuffed)
  })
  test('without a last line end gets one', async () => {
    expect(await taken(mail({ body: body('a') }))).toBe('a\r\n')
    expect(await taken(mail({ body: streamed(['a', 'b']) }))).toBe('ab\r\n')
  })
  test('waits for the peer, chunk by chunk', async () => {
    const chunk = `${'x'.repeat(998)}\r\n`.repeat(100)
    let open = 0
    const message = mail({
      body: {
        size: 20 * chunk.length,
        async *open() {
          for (; open < 20; open++) yield new TextEncoder().encode(chunk)
        },
      },
    })
    let seen: number | undefined
    const b = bench([
      async peer => {
        peer.say('220 hi\r\n')
        await peer.line()
        peer.say('250 mx\r\n')
        for (const reply of ['250 ok', '250 ok', '354 go']) {
          await peer.line()
          peer.say(`${reply}\r\n`)
        }
        while (peer.writes.length < 5) await Promise.resolve()
        for (let i = 0; i < 1000; i++) await Promise.resolve()
        seen = open
        await peer.content()
        peer.say('250 ok\r\n')
      },
    ])
    expect((await b.client.send(message, target(), never))[0]?.fate).toBe('relayed')
    expect(seen).toBeLessThan(3)
  })
  test('with a bare CR or LF never gets its final dot', async () => {
    for (const text of ['a\nb\r\n', 'a\rb\r\n', 'a\r\n.\n', 'a\r']) {
      const short = bench([`${greeting()}X: left`])
      expect((await short.client.send(mail({ body: body(text) }), target(), never))[0]).toMatchObject({
        fate: 'failed',
        status: '5.6.0',
      })
      const long = bench([`${go}X: left`])
      expect((await long.client.send(mail({ body: streamed([text]) }), target(), never))[0]).toMatchObject({
        fate: 'failed',
        status: '5.6.0',
      })
      expect(long.network.peers[0]?.writes.join('')).not.toMatch(/^\.\r\n/m)
    }
  })
  test('that ends early or cannot be read never gets its final dot', async () => {
    const broken: Mail['body'] = {
      size: 100,
      // oxlint-disable-next-line require-yield -- it fails before
      async *open() {
        throw new Error('EIO')
      },
    }
    for (const bad of [streamed(['a\r\n'], 100), broken]) {
      const { outcomes, peer } = await send(`${go}X: left`, mail({ body: bad }))
      expect(outcomes[0]).toMatchObject({ fate: 'deferred', phase: 'data', status: '4.3.0' })
      expect(peer?.writes.join('')).not.toMatch(/^\.\r\n/m)
    }
  })
  test('is cut off when the peer refuses in the middle', async () => {
    const lines = Array.from({ length: 50 }, () => `${'x'.repeat(2000)}\r\n`)
    const b = bench([
      async peer => {
        peer.say('220 hi\r\n')
        await peer.line()
        peer.say('250-mx\r\n250 PIPELINING\r\n')
        for (let i = 0; i < 3; i++) await peer.line()
        peer.say('250 ok\r\n250 ok\r\n354 go\r\n')
        await peer.take(10_000)
        peer.say('552 5.3.4 too big\r\n')
        await peer.left()
      },
    ])
    expect((await b.client.send(mail({ body: streamed(lines) }), target(), never))[0]).toMatchObject({
      fate: 'failed',
      phase: 'data',
      reply: { code: 552 },
    })
    expect(b.network.peers[0]?.writes.join('')).not.toMatch(/^\.\r\n/m)
    expect(b.network.faults).toEqual([])
  })
  test('is left alone by a slow source when the peer has gone', async () => {
    const message = mail({
      body: {
        size: 10,
        async *open(signal) {
          yield new TextEncoder().encode('a\r\n')
          await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('stopped'))))
        },
      },
    })
    const { outcomes } = await send(`${go}C: a\nX: reset`, message)
    expect(outcomes[0]).toMatchObject({ fate: 'deferred', phase: 'data', status: '4.4.2' })
  })
})

describe('a message that is no longer ours', () => {
  const answers = (yes: number) => {
    let asked = 0
    return { stillOurs: () => ++asked <= yes, asked: () => asked }
  }
  test('is not begun', async () => {
    const b = bench([`${pipelining}X: left`])
    const [outcome] = await b.client.send(mail(answers(0)), target(), never)
    expect(outcome).toMatchObject({ fate: 'deferred', notTried: true })
    expect(b.network.peers[0]?.writes).toHaveLength(1)
  })
  test.each(['short', 'streamed'])('is not ended with a dot, %s', async kind => {
    const dot = kind === 'short' ? '' : 'C: Subject: hi\nC: \n'
    const extra = kind === 'short' ? {} : { body: streamed(['Subject: hi\r\n', '\r\n']) }
    const { outcomes, peer, client } = await send(
      `${pipelining}${envelope}S: 250 ok\nS: 250 ok\nS: 354 go\n${dot}X: left`,
      mail({ ...extra, ...answers(kind === 'short' ? 1 : 2) }),
    )
    expect(outcomes[0]).toMatchObject({ fate: 'deferred', notTried: true })
    expect(peer?.writes.join('')).not.toMatch(/^\.\r\n/m)
    expect(client.idle).toBe(0)
  })
})

test('addresses that need no quoting and those that do go out as they came in', async () => {
  const to = ['"a b"@example.org', 'bob@[192.0.2.7]']
  const script = `${pipelining}C: MAIL FROM:<alice@example.com>\nC: RCPT TO:<"a b"@example.org>\nC: RCPT TO:<bob@[192.0.2.7]>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\n${content}S: 250 ok`
  expect((await send(script, mail({ to }))).outcomes).toHaveLength(2)
})

test('a probe asks with the null sender and sends nothing', async () => {
  const b = bench([
    `${pipelining}C: MAIL FROM:<>\nC: RCPT TO:<bob@example.org>\nS: 250 ok\nS: 250 ok\nC: RSET\nC: MAIL FROM:<>\nC: RCPT TO:<eve@example.org>\nS: 250 ok\nS: 250 ok\nS: 550 5.1.1 who?`,
  ])
  expect(await b.client.probe(mailbox('bob@example.org'), target(), never)).toMatchObject({
    fate: 'delivered',
    phase: 'rcpt',
  })
  expect(await b.client.probe(mailbox('eve@example.org'), target(), never)).toMatchObject({
    fate: 'failed',
    phase: 'rcpt',
  })
  expect(b.network.faults).toEqual([])
})
