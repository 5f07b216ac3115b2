import { describe, expect, test } from 'vitest'
import type { PeerScript } from '@posthorn/testkit'
import { bench, mail, never, target, tls } from '../test/exchange.ts'
import type { Target } from './index.ts'

/** A peer that takes `most` messages and then does `after`. */
const taking =
  (most = Infinity, after: PeerScript = peer => peer.left(), ...keywords: readonly string[]): PeerScript =>
  async peer => {
    peer.say('220 hi\r\n')
    for (let taken = 0; taken < most;) {
      const line = await peer.line()
      if (line === undefined) return
      if (line === 'QUIT') return peer.end()
      if (line.startsWith('EHLO')) peer.say(['250-mx', ...keywords.map(k => `250-${k}`), '250 HELP', ''].join('\r\n'))
      else if (line === 'DATA') {
        peer.say('354 go\r\n')
        if ((await peer.content()) === undefined) return
        taken++
        peer.say('250 ok\r\n')
      } else peer.say('250 ok\r\n')
    }
    await after(peer)
  }

const fates = async (b: ReturnType<typeof bench>, times: number, to: Target = target()): Promise<string[]> => {
  const all: string[] = []
  for (let i = 0; i < times; i++) all.push((await b.client.send(mail(), to, never))[0]?.fate ?? '')
  return all
}

test('one connection takes one message after another', async () => {
  const b = bench([taking()])
  expect(await fates(b, 3)).toEqual(['relayed', 'relayed', 'relayed'])
  expect([b.network.dialled.length, b.client.idle]).toEqual([1, 1])
  expect(b.network.peers[0]?.writes.join('')).not.toContain('RSET')
})

test('connections are shared only where peer, source, TLS policy and login are the same', async () => {
  const login = { credentials: { user: 'a', password: 'b' }, authInClear: true }
  const targets: Target[] = [
    target(),
    target({ ip: '192.0.2.2' }),
    target({ port: 26 }),
    target({ source: '198.51.100.2' }),
    target({ ...tls('may') }),
    target({ tls: { ...target().tls, because: 'other' } }),
    target({ tls: { ...target().tls, names: ['other.example'] } }),
    target({ tls: { ...target().tls, tlsa: [{ usage: 3, selector: 1, matching: 1, data: new Uint8Array(32) }] } }),
    target(login),
    target({ ...login, credentials: { user: 'a', password: 'c' } }),
    target({ path: '/run/socket' }),
  ]
  const b = bench(
    targets
      .map(() => taking(undefined, undefined, 'AUTH PLAIN'))
      .map((script): PeerScript => async peer => {
        const real = peer.say.bind(peer)
        let auth = false
        const line = peer.line.bind(peer)
        peer.line = async () => {
          const got = await line()
          auth = got?.startsWith('AUTH') ?? false
          return got
        }
        peer.say = text => real(auth ? '235 ok\r\n' : text)
        await script(peer)
      }),
  )
  for (const to of targets) expect(await fates(b, 2, to)).toEqual(['relayed', 'relayed'])
  expect(b.network.dialled).toHaveLength(targets.length)
  expect(await fates(b, 1, target())).toEqual(['relayed'])
  expect([b.network.dialled.length, b.client.idle]).toEqual([targets.length, targets.length])
})

test('two messages at once use two connections, and then both wait', async () => {
  const b = bench([taking(), taking()])
  await Promise.all([fates(b, 1), fates(b, 1)])
  expect([b.network.dialled.length, b.client.idle]).toEqual([2, 2])
})

test('an idle connection ends with QUIT in time', async () => {
  const b = bench([taking(), taking()])
  await fates(b, 1)
  await b.clock.advance(3000)
  await fates(b, 1)
  await b.clock.advance(4999)
  expect(b.client.idle).toBe(1)
  await b.clock.advance(1)
  expect([b.client.idle, b.clock.pending]).toEqual([0, 0])
  expect(b.network.peers[0]?.writes.at(-1)).toBe('QUIT\r\n')
  expect(b.network.peers[0]?.gone).toBe(true)
})

test('a connection ends after so many messages, of the client or of the target', async () => {
  const b = bench([taking(), taking(), taking()], { messagesPerConnection: 2 })
  await fates(b, 3)
  expect(b.network.dialled).toHaveLength(2)
  expect(b.network.peers[0]?.writes.at(-1)).toBe('QUIT\r\n')
  await fates(b, 1, target({ port: 26, messagesPerConnection: 1 }))
  expect(b.client.idle).toBe(1)
})

test('only so many connections wait; the oldest ends', async () => {
  const b = bench([taking(), taking(), taking()], { maxIdle: 2 })
  for (const port of [1, 2, 3]) await fates(b, 1, target({ port }))
  expect(b.client.idle).toBe(2)
  expect(b.network.peers.map(p => p.gone)).toEqual([true, false, false])
})

test('none waits when that is not wanted', async () => {
  const b = bench([taking(), taking()], { maxIdle: 0 })
  await fates(b, 2)
  expect([b.network.dialled.length, b.client.idle, b.clock.pending]).toEqual([2, 0, 0])
})

describe('a connection that the peer ended while it waited', () => {
  test('is forgotten at once', async () => {
    for (const after of [
      async peer => peer.end(),
      async peer => peer.reset(),
      async peer => {
        peer.say('421 4.4.2 idle too long\r\n')
        await peer.left()
      },
    ] as PeerScript[]) {
      const b = bench([taking(1, after), taking()])
      await fates(b, 1)
      await b.clock.advance(0)
      expect(b.client.idle).toBe(0)
      expect(await fates(b, 1)).toEqual(['relayed'])
    }
  })
  test.each([
    ['closes', (peer: Parameters<PeerScript>[0]) => peer.end()],
    ['resets', (peer: Parameters<PeerScript>[0]) => peer.reset()],
    ['says 421', (peer: Parameters<PeerScript>[0]) => peer.say('421 too many\r\n')],
  ])('and that %s at the next MAIL is replaced without a word', async (_how, act) => {
    const after: PeerScript = async peer => {
      await peer.line()
      act(peer)
      await peer.left()
    }
    const b = bench([taking(1, after), taking()])
    expect(await fates(b, 3)).toEqual(['relayed', 'relayed', 'relayed'])
    expect(b.network.dialled).toHaveLength(2)
  })
  test('is replaced only once, and never after it has answered', async () => {
    const dies: PeerScript = async peer => {
      await peer.line()
      peer.end()
      await peer.left()
    }
    const first = bench([taking(1, dies), taking(0, dies)])
    expect(await fates(first, 2)).toEqual(['relayed', 'deferred'])
    const late: PeerScript = async peer => {
      await peer.line()
      peer.say('250 ok\r\n')
      await peer.line()
      peer.end()
      await peer.left()
    }
    const second = bench([taking(1, late), taking()])
    expect(await fates(second, 2)).toEqual(['relayed', 'deferred'])
    expect(second.network.dialled).toHaveLength(1)
  })
  test('on a first connection is a deferral', async () => {
    const b = bench([
      async peer => {
        peer.say('220 hi\r\n')
        await peer.line()
        peer.say('250 mx\r\n')
        await peer.line()
        peer.say('421 busy\r\n')
        await peer.left()
      },
      taking(),
    ])
    expect(await fates(b, 1)).toEqual(['deferred'])
    expect(b.network.dialled).toHaveLength(1)
  })
})

test('a peer that says more than it was asked is not used again', async () => {
  const b = bench([
    taking(1, async peer => {
      peer.say('250 again\r\n')
      await peer.left()
    }),
    taking(),
  ])
  await fates(b, 1)
  await b.clock.advance(0)
  expect(await fates(b, 1)).toEqual(['relayed'])
  expect(b.network.dialled).toHaveLength(2)
})

describe('close', () => {
  test('ends what is idle and refuses what comes later', async () => {
    const b = bench([taking()])
    await fates(b, 1)
    await b.client.close()
    expect([b.client.idle, b.network.peers[0]?.gone, b.clock.pending]).toEqual([0, true, 0])
    expect((await b.client.send(mail(), target(), never))[0]).toMatchObject({ fate: 'deferred', notTried: true })
  })
  test('waits for the messages at work, whose connections end with them', async () => {
    const b = bench([taking()])
    const sending = b.client.send(mail(), target(), never)
    await b.client.close()
    expect((await sending)[0]?.fate).toBe('relayed')
    expect([b.client.idle, b.network.peers[0]?.gone]).toEqual([0, true])
  })
})
