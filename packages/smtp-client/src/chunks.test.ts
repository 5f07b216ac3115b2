import { describe, expect, test } from 'vitest'
import { bench, body, content, greeting, mail, never, streamed, target } from '../test/exchange.ts'
import type { Bench } from '../test/exchange.ts'
import type { Journal } from '@posthorn/contracts'
import { createClient, type ClientLimits, type Mail } from './index.ts'

const long = 'Received: by us\r\nSubject: hi\r\n\r\n.hello\r\n.\r\n'
const from = 'C: MAIL FROM:<alice@example.com>\n'
const rcpt = (name: string): string => `C: RCPT TO:<${name}@example.org>\n`
/** A chunk as the peer is to get it: the command and its octets. */
const chunk = (octets: string, last = ''): string =>
  `C: BDAT ${octets.length}${last}\nC= ${JSON.stringify(octets).slice(1, -1)}\n`
const firstLine = chunk('Received: by us\r\n')
const rest = chunk('Subject: hi\r\n\r\n.hello\r\n.\r\n', ' LAST')
const offers = ['PIPELINING', 'CHUNKING', '8BITMIME']
const pipelined = greeting(...offers)
const group = `${pipelined}${from}${rcpt('bob')}${firstLine}`
const ok = 'S: 250 ok\n'

/** By BDAT, however short. */
const send = async (
  scripts: string | readonly Parameters<typeof bench>[0][number][],
  message: Mail = mail({ body: body(long) }),
  to = target(),
  limits: Partial<ClientLimits> = { chunkFrom: 0 },
): Promise<Bench & { readonly outcomes: readonly (readonly unknown[])[] }> => {
  const b = bench(typeof scripts === 'string' ? [scripts] : scripts, limits)
  const outcomes = await b.client.send(message, to, never)
  expect(b.network.faults).toEqual([])
  return { ...b, outcomes: outcomes.map(o => [o.fate, o.phase, o.reply?.code ?? o.status]) }
}
const twoTo = mail({ body: body(long), to: ['bob@example.org', 'eve@example.org'] })

describe('a long message', () => {
  test('goes by BDAT where CHUNKING is offered: its first line with the envelope, the rest when that is taken', async () => {
    const { outcomes, network, client } = await send(`${group}${ok}${ok}${ok}${rest}S: 250 2.0.0 queued`)
    expect(outcomes).toEqual([['relayed', 'dot', 250]])
    // EHLO; the envelope with the first line; the command of the last chunk, and its octets as they were.
    expect(network.peers[0]?.writes).toHaveLength(4)
    expect(client.idle).toBe(1)
  })
  test('goes step by step where the peer does not pipeline', async () => {
    const script = `${greeting('CHUNKING')}${from}${ok}${rcpt('bob')}${ok}${firstLine}${ok}${rest}S: 250 queued`
    expect((await send(script)).outcomes).toEqual([['relayed', 'dot', 250]])
  })
  test('goes by DATA where CHUNKING is not offered, where it is short, and where the target says so', async () => {
    const byData = (keywords: readonly string[]): string =>
      `${greeting('PIPELINING', ...keywords)}${from}${rcpt('bob')}C: DATA\n${ok}${ok}S: 354 go\n${content}S: 250 ok`
    expect((await send(byData([]), mail())).outcomes[0]?.[0]).toBe('relayed')
    expect((await send(byData(['CHUNKING']), mail(), target(), {})).outcomes[0]?.[0]).toBe('relayed')
    expect((await send(byData(['CHUNKING']), mail(), target({ chunking: false }))).outcomes[0]?.[0]).toBe('relayed')
  })
  test('without a last line end gets one', async () => {
    const script = `${group}${ok}${ok}${ok}${chunk('a\r\nb\r\n', ' LAST')}S: 250 ok`
    expect((await send(script, mail({ body: body('Received: by us\r\na\r\nb') }))).outcomes[0]?.[0]).toBe('relayed')
    const one = `${pipelined}${from}${rcpt('bob')}${chunk('a')}${ok}${ok}${ok}${chunk('\r\n', ' LAST')}S: 250 ok`
    expect((await send(one, mail({ body: body('a') }))).outcomes[0]?.[0]).toBe('relayed')
  })
  test('without any line end is cut for its first chunk all the same', async () => {
    const script = `${pipelined}${from}${rcpt('bob')}${chunk('x'.repeat(1000))}${ok}${ok}${ok}${chunk('xxx\r\n', ' LAST')}S: 250 ok`
    expect((await send(script, mail({ body: body('x'.repeat(1003)) }))).outcomes[0]?.[0]).toBe('relayed')
  })
  test('that is binary goes as it is, bare line ends and all, and without BINARYMIME by DATA if it can', async () => {
    const binary = mail({ body: body('a\nb\u0000.\r\n.\r\n.'), eightBit: 'binarymime' })
    const offered = [
      greeting(...offers, 'BINARYMIME'),
      'C: MAIL FROM:<alice@example.com> BODY=BINARYMIME\n',
      `${rcpt('bob')}${chunk('a\n')}${ok}${ok}${ok}`,
      'C: BDAT 9 LAST\nC= b\\u0000.\\r\\n.\\r\\n.\nS: 250 queued',
    ].join('')
    expect((await send(offered, binary, target(), {})).outcomes).toEqual([['relayed', 'dot', 250]])
    const without = bench([`${greeting('CHUNKING', '8BITMIME')}X: left`])
    expect((await without.client.send(binary, target(), never))[0]).toMatchObject({ fate: 'failed', status: '5.6.0' })
  })
})

const lines = (count: number): string => `${'x'.repeat(1022)}\r\n`.repeat(count)
const large = mail({ body: streamed(['Received: by us\r\n', lines(255), 'a\r\n', lines(256), lines(256), 'b\r\n']) })
/** Its chunks, as its pieces were gathered: the first line before them, and the last one behind. */
const sizes = [511 * 1024 + 3, 256 * 1024] as const

type Peer = Parameters<Exclude<Parameters<typeof bench>[0][number], string | Error>>[0]
const takeAll = async (peer: Peer, size: number): Promise<void> => {
  for (let left = size; left > 0; left -= 1024) await peer.take(Math.min(left, 1024))
}

/** Takes the envelope and the first line; the rest is the test's. */
const opened =
  (rest: (peer: Peer) => Promise<void>) =>
  async (peer: Peer): Promise<void> => {
    peer.say('220 hi\r\n')
    await peer.line()
    peer.say('250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n')
    for (let i = 0; i < 3; i++) await peer.line()
    await peer.take('Received: by us\r\n'.length)
    peer.say('250 ok\r\n250 ok\r\n250 ok\r\n')
    await rest(peer)
  }

describe('a very long message', () => {
  test('goes in chunks that do not wait for each other, of which the last waits for all', async () => {
    const commands: (string | undefined)[] = []
    const { outcomes } = await send(
      [
        opened(async peer => {
          for (const size of sizes) {
            // No reply yet: the next chunk comes all the same.
            commands.push(await peer.line())
            await takeAll(peer, size)
          }
          await Promise.resolve()
          expect(peer.writes.join('')).not.toContain('LAST')
          peer.say('250 one\r\n250 two\r\n')
          commands.push(await peer.line())
          await peer.take(3)
          peer.say('250 queued\r\n')
        }),
      ],
      large,
    )
    expect(commands).toEqual([...sizes.map(size => `BDAT ${size}`), 'BDAT 3 LAST'])
    expect(outcomes).toEqual([['relayed', 'dot', 250]])
  })
  test('is not finished when the peer refuses a chunk, and the connection serves the next one', async () => {
    const { outcomes, client, network } = await send(
      [
        opened(async peer => {
          await peer.line()
          await takeAll(peer, sizes[0])
          peer.say('552 5.3.4 too big\r\n')
          for (let line = await peer.line(); line !== undefined && line !== 'RSET'; line = await peer.line()) {
            await takeAll(peer, Number(line.slice(5)))
            peer.say('503 5.5.1 no transaction\r\n')
          }
        }),
      ],
      large,
    )
    expect(outcomes).toEqual([['failed', 'data', 552]])
    expect(network.peers[0]?.writes.join('')).not.toContain('LAST')
    expect(client.idle).toBe(1)
  })
  test('that the peer refuses and breaks off is refused', async () => {
    const { outcomes } = await send(
      [
        opened(async peer => {
          await peer.line()
          await peer.take(1000)
          peer.say('552 5.3.4 too big\r\n')
          peer.end()
        }),
      ],
      large,
    )
    expect(outcomes).toEqual([['failed', 'data', 552]])
  })
  test('row 44: with more replies than chunks is not finished, since none of them is known to be the last one’s', async () => {
    const { outcomes, network } = await send([
      opened(async peer => {
        peer.say('250 really\r\n')
        await peer.left()
      }),
    ])
    expect(outcomes).toEqual([['deferred', 'data', '4.5.0']])
    expect(network.peers[0]?.writes.join('')).not.toContain('LAST')
  })
})

describe('no last chunk is sent', () => {
  const unfinished = `${group}${ok}${ok}${ok}X: left`
  test('rows 1 to 8: of a message with a CR or LF alone, which a next server might take for the end of a line', async () => {
    for (const text of ['\nb\r\n', '\n.\r\n', '\r\n.\n', '\r.\r\n', 'a\rb\r\n', 'a\r'])
      for (const made of [body, (t: string) => streamed([t.slice(0, 17), ...Array.from(t.slice(17))])]) {
        const { outcomes, network } = await send(unfinished, mail({ body: made(`Received: by us\r\na${text}`) }))
        expect(outcomes).toEqual([['failed', 'data', '5.6.0']])
        expect(network.peers[0]?.writes.join('')).not.toContain('LAST')
      }
  })
  test('of one that cannot be read to its end', async () => {
    const { outcomes } = await send(unfinished, mail({ body: streamed(['Received: by us\r\na\r\n'], 100) }))
    expect(outcomes).toEqual([['deferred', 'data', '4.3.0']])
    const failing: Mail['body'] = {
      size: 100,
      async *open() {
        yield new TextEncoder().encode('Received: by us\r\n')
        throw new Error('EIO')
      },
    }
    expect((await send(unfinished, mail({ body: failing }))).outcomes).toEqual([['deferred', 'data', '4.3.0']])
  })
  test('of one whose source is slow when the peer has gone', async () => {
    const slow: Mail['body'] = {
      size: 100,
      async *open(signal) {
        yield new TextEncoder().encode('Received: by us\r\n')
        await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('stopped'))))
      },
    }
    const { outcomes } = await send(`${group}${ok}${ok}${ok}X: reset`, mail({ body: slow }))
    expect(outcomes).toEqual([['deferred', 'data', '4.4.2']])
  })
  test('of one that is no longer ours', async () => {
    for (const yes of [1, 2]) {
      let asked = 0
      const { outcomes, network } = await send(unfinished, mail({ body: body(long), stillOurs: () => ++asked <= yes }))
      expect(outcomes).toEqual([['deferred', 'mail', '4.3.0']])
      expect(network.peers[0]?.writes.join('')).not.toContain('LAST')
    }
  })
})

test('a body that cannot be read at all is not begun', async () => {
  const failing: Mail['body'] = {
    size: 100,
    // oxlint-disable-next-line require-yield -- it fails before
    async *open() {
      throw new Error('EIO')
    },
  }
  const { outcomes, network, client } = await send(`${pipelined}X: left`, mail({ body: failing }))
  expect(outcomes).toEqual([['deferred', 'data', '4.3.0']])
  expect(network.peers[0]?.writes).toHaveLength(1)
  expect(client.idle).toBe(1)
})

describe('recipients', () => {
  const both = `${pipelined}${from}${rcpt('bob')}${rcpt('eve')}${firstLine}`
  test('row 17: who were all refused get no more than the line that was on its way, and RSET comes before the next', async () => {
    const b = bench(
      [
        `${both}${ok}S: 550 no\nS: 450 later\nS: 554 5.5.1 no valid recipients\nC: RSET\n${from}${rcpt('bob')}C: DATA\n${ok}${ok}${ok}S: 354 go\n${content}S: 250 ok`,
      ],
      { chunkFrom: 40 },
    )
    const outcomes = await b.client.send(twoTo, target(), never)
    expect(outcomes.map(o => [o.fate, o.phase])).toEqual([
      ['failed', 'rcpt'],
      ['deferred', 'rcpt'],
    ])
    expect((await b.client.send(mail(), target(), never))[0]?.fate).toBe('relayed')
    expect(b.network.faults).toEqual([])
  })
  test('row 17: a peer that takes the line for nobody must forget it', async () => {
    const { outcomes, client } = await send(`${both}S: 550 not you\nS: 503 what?\nS: 503 what?\n${ok}`, twoTo)
    expect(outcomes.map(o => o[1])).toEqual(['mail', 'mail'])
    expect(client.idle).toBe(1)
    const again = await send([`${both}S: 550 not you\nS: 503 what?\nS: 503 what?\n${ok}C: RSET\nX: end`], twoTo)
    await again.client.send(mail(), target(), never)
    expect(again.network.peers[0]?.writes.join('')).toContain('RSET\r\n')
  })
  test('who were refused where the peer does not pipeline get no chunk at all', async () => {
    const { network } = await send(`${greeting('CHUNKING')}${from}${ok}${rcpt('bob')}S: 550 no\nX: left`)
    expect(network.peers[0]?.writes.join('')).not.toContain('BDAT')
  })
  test('of which some were refused each have their own outcome', async () => {
    const { outcomes } = await send(`${both}${ok}S: 550 no\n${ok}${ok}${rest}S: 451 not now`, twoTo)
    expect(outcomes).toEqual([
      ['failed', 'rcpt', 550],
      ['deferred', 'dot', 451],
    ])
  })
  test('over LMTP have one reply each for the last chunk, and one in all for every other', async () => {
    const lmtp = target({ protocol: 'lmtp' })
    const hello = both.replace('EHLO', 'LHLO')
    const { outcomes } = await send(
      `${hello}${ok}${ok}${ok}${ok}${rest}S: 250 delivered\nS: 452 4.2.2 full`,
      twoTo,
      lmtp,
    )
    expect(outcomes).toEqual([
      ['delivered', 'dot', 250],
      ['deferred', 'dot', 452],
    ])
    const nobody = await send(`${hello}${ok}S: 550 no\nS: 550 no\nS: 503 no recipients`, twoTo, lmtp)
    expect(nobody.outcomes.map(o => o[0])).toEqual(['failed', 'failed'])
    expect(nobody.client.idle).toBe(1)
  })
})

describe('row 44: a peer that offers CHUNKING', () => {
  const byData = `${pipelined}${from}${rcpt('bob')}C: DATA\n${ok}${ok}S: 354 go\nC: Received: by us\nC: Subject: hi\nC: \nC: ..hello\nC: ..\nC: .\nS: 250 by DATA`
  test.each([
    ['500', 'S: 500 what?\nS: 500 what?\n'],
    ['502', 'S: 502 not here\n'],
    ['503', 'S: 503 5.5.1 bad sequence\n'],
  ])('and answers BDAT with %s gets the message by DATA, at once and over another connection', async (_, replies) => {
    const { outcomes, network, client } = await send([`${group}${ok}${ok}${replies}X: left`, byData])
    expect(outcomes).toEqual([['relayed', 'dot', 250]])
    expect(network.peers[0]?.writes.join('')).not.toContain('Subject')
    expect(client.idle).toBe(1)
  })
  test.each(['end', 'reset'])('and drops the connection on BDAT (%s) gets it by DATA as well', async how => {
    expect((await send([`${group}${ok}${ok}X: ${how}`, byData])).outcomes).toEqual([['relayed', 'dot', 250]])
  })
  test('and says nothing to BDAT gets it by DATA as well', async () => {
    const b = bench([`${group}${ok}${ok}X: left`, byData], { chunkFrom: 0 })
    const sent = b.client.send(mail({ body: body(long) }), target(), never)
    await b.clock.advance(121_000)
    expect((await sent)[0]).toMatchObject({ fate: 'relayed', cause: '250 by DATA' })
  })
  test('and refuses the message at BDAT has refused it', async () => {
    for (const [code, fate] of [
      [452, 'deferred'],
      [552, 'failed'],
      [554, 'failed'],
    ] as const) {
      const { outcomes, client } = await send(`${group}${ok}${ok}S: ${code} no`)
      expect(outcomes).toEqual([[fate, 'data', code]])
      expect(client.idle).toBe(1)
    }
  })
  test('and hangs up in the middle leaves the outcome open; for an hour it then gets DATA', async () => {
    const b = bench([`${group}${ok}${ok}${ok}${rest}X: end`, byData, byData, `${group}${ok}${ok}${ok}${rest}${ok}`])
    const events: unknown[] = []
    const journal: Journal = {
      event: (name, { remote, cause }) => void events.push([name, remote, cause]),
      child: () => journal,
    }
    const limits = { chunkFrom: 0, messagesPerConnection: 1 }
    const client = createClient({ network: b.network, clock: b.clock, hostname: 'client.example', journal, limits })
    const sendOne = async () => (await client.send(mail({ body: body(long) }), target(), never))[0]
    expect(await sendOne()).toMatchObject({ fate: 'unknown', phase: 'dot' })
    expect(await sendOne()).toMatchObject({ cause: '250 by DATA' })
    await b.clock.advance(3_599_000)
    expect(await sendOne()).toMatchObject({ cause: '250 by DATA' })
    await b.clock.advance(1000)
    expect(await sendOne()).toMatchObject({ fate: 'relayed', cause: '250 ok' })
    expect(b.network.faults).toEqual([])
    expect(events).toEqual([['delivery.unchunked', 'mx.example.org[192.0.2.1]:25', 'the peer closed the connection']])
  })
  test('but not BINARYMIME after all gets a binary message in another encoding', async () => {
    const binary =
      'MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\na\nb\u0000'
    const lines: string[] = []
    const b = bench([
      [
        greeting(...offers, 'BINARYMIME'),
        'C: MAIL FROM:<alice@example.com> BODY=BINARYMIME\n',
        `${rcpt('bob')}${chunk('MIME-Version: 1.0\r\n')}${ok}${ok}S: 502 not here\nX: left`,
      ].join(''),
      async peer => {
        peer.say('220 hi\r\n')
        await peer.line()
        peer.say('250-mx\r\n250-CHUNKING\r\n250 BINARYMIME\r\n')
        for (let line = await peer.line(); line !== undefined && line !== 'QUIT'; line = await peer.line()) {
          lines.push(line)
          peer.say(line === 'DATA' ? '354 go\r\n' : '250 ok\r\n')
          if (line === 'DATA') lines.push((await peer.content()) ?? '')
          if (line === 'DATA') peer.say('250 ok\r\n')
        }
      },
    ])
    const message = mail({ body: body(binary), eightBit: 'binarymime', to: ['bob@example.org'] })
    expect((await b.client.send(message, target(), never))[0]).toMatchObject({ fate: 'relayed' })
    expect(lines[0]).toBe('MAIL FROM:<alice@example.com>')
    expect(lines.at(-1)).toContain('Content-Transfer-Encoding: base64')
  })
})
