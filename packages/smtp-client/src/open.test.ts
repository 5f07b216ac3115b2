import { describe, expect, test } from 'vitest'
import type { PeerScript } from '@posthorn/testkit'
import { bench, content, greeting, mail, never, target, tls } from '../test/exchange.ts'
import type { Target } from './index.ts'

const rest = `C: MAIL FROM:<alice@example.com>\nS: 250 ok\nC: RCPT TO:<bob@example.org>\nS: 250 ok\nC: DATA\nS: 354 go\n${content}S: 250 ok`
const secured = `C: EHLO client.example\nS: 250-mx\nS: 250 AUTH PLAIN LOGIN\n`

const send = async (script: string | PeerScript | Error, to: Target = target()) => {
  const b = bench([script])
  const [outcome] = await b.client.send(mail(), to, never)
  expect(b.network.faults).toEqual([])
  return { ...b, outcome, said: b.network.peers[0]?.writes.join('') ?? '', peer: b.network.peers[0] }
}

describe('dialling', () => {
  const failed = (code: string) => Object.assign(new Error(`connect ${code}`), { code })
  test('that fails is deferred, with the reason', async () => {
    for (const [code, cause] of [
      ['ECONNREFUSED', 'connection refused'],
      ['EHOSTUNREACH', 'no route to host'],
      ['EWHATEVER', 'connect EWHATEVER'],
    ] as const)
      expect((await send(failed(code))).outcome).toEqual({
        fate: 'deferred',
        phase: 'connect',
        cause,
        status: '4.4.1',
        remote: 'mx.example.org[192.0.2.1]:25',
        tlsPolicy: 'test',
      })
  })
  test('goes to the address, the source and the path of the target', async () => {
    const b = bench([failed('ECONNREFUSED'), failed('ECONNREFUSED'), failed('ECONNREFUSED')])
    const { ip: _, ...byName } = target()
    const targets = [target({ source: '198.51.100.9', port: 587 }), byName, target({ path: '/run/lmtp' })]
    const remotes: (string | undefined)[] = []
    for (const to of targets) remotes.push((await b.client.send(mail(), to, never))[0]?.remote)
    expect(b.network.dialled).toEqual([
      { host: '192.0.2.1', port: 587, source: '198.51.100.9' },
      { host: 'mx.example.org', port: 25 },
      { host: '192.0.2.1', port: 25, path: '/run/lmtp' },
    ])
    expect(remotes).toEqual(['mx.example.org[192.0.2.1]:587', 'mx.example.org:25', 'mx.example.org[/run/lmtp]'])
  })
})

describe('a banner or an EHLO that says no', () => {
  test.each([
    ['S: 554 5.7.1 go away', 'banner', 554],
    ['S: 521 no mail here', 'banner', 521],
    ['S: 421 busy', 'banner', 421],
    ['S: 220 hi\nC: EHLO client.example\nS: 421 busy', 'ehlo', 421],
    ['S: 220 hi\nC: EHLO client.example\nS: 450 later', 'ehlo', 450],
    ['S: 220 hi\nC: EHLO client.example\nS: 550 no\nC: HELO client.example\nS: 550 no', 'ehlo', 550],
  ] as const)('is for now, whatever its class: %s', async (script, phase, code) => {
    const { outcome, client } = await send(`${script}\nC: QUIT\nX: left`)
    expect(outcome).toMatchObject({ fate: 'deferred', phase, reply: { code } })
    expect(client.idle).toBe(0)
  })
})

describe('STARTTLS', () => {
  test('is not used when it is not wanted', async () => {
    const { outcome, peer } = await send(`${greeting('STARTTLS')}${rest}`)
    expect([outcome?.fate, outcome?.tls, peer?.needs]).toEqual(['relayed', undefined, []])
  })
  test('is used when offered, and what was said before it is forgotten', async () => {
    const { outcome, peer } = await send(
      `${greeting('STARTTLS', 'PIPELINING', 'SIZE')}C: STARTTLS\nS: 220 go\n${secured}${rest}`,
      target(tls('may')),
    )
    expect(outcome).toMatchObject({ fate: 'relayed', tls: { version: 'TLSv1.3', authorized: true } })
    expect(peer?.needs).toEqual([tls('may').tls])
  })
  test('row 25: stripped by a man in the middle stops all but the opportunistic', async () => {
    expect((await send(`${greeting()}${rest}`, target(tls('may')))).outcome?.fate).toBe('relayed')
    for (const level of ['encrypt', 'verify', 'dane'] as const) {
      const { outcome, said } = await send(`${greeting()}C: QUIT\nX: left`, target(tls(level)))
      expect(outcome).toMatchObject({ fate: 'deferred', phase: 'tls', status: '4.7.4' })
      expect(said).not.toContain('MAIL')
    }
  })
  test('row 25: refused stops all but the opportunistic', async () => {
    const refusal = `${greeting('STARTTLS')}C: STARTTLS\nS: 454 4.7.0 not now\n`
    expect((await send(`${refusal}${rest}`, target(tls('may')))).outcome?.fate).toBe('relayed')
    for (const level of ['encrypt', 'verify', 'dane'] as const)
      expect((await send(`${refusal}C: QUIT`, target(tls(level)))).outcome).toMatchObject({
        fate: 'deferred',
        phase: 'tls',
        reply: { code: 454 },
      })
  })
  test('row 18: replies in the same segment as the 220 are not believed', async () => {
    for (const injected of ['250 more\r\n', '250-partial', 'x']) {
      const { outcome, peer } = await send(
        async peer => {
          peer.say('220 hi\r\n')
          await peer.line()
          peer.say('250-mx\r\n250 STARTTLS\r\n')
          await peer.line()
          peer.say(`220 go\r\n${injected}`)
          await peer.left()
        },
        target(tls('may')),
      )
      expect(outcome).toMatchObject({ fate: 'deferred', phase: 'tls' })
      expect(peer?.needs).toEqual([])
    }
  })
  test('whose handshake fails is told by the phase, so that the caller may try in clear', async () => {
    for (const level of ['may', 'verify'] as const) {
      const { outcome, client } = await send(
        async peer => {
          peer.handshake = () => new Error('certificate expired')
          peer.say('220 hi\r\n')
          await peer.line()
          peer.say('250-mx\r\n250 STARTTLS\r\n')
          await peer.line()
          peer.say('220 go\r\n')
        },
        target(tls(level)),
      )
      expect(outcome).toMatchObject({
        fate: 'deferred',
        phase: 'tls',
        status: '4.7.5',
        cause: 'TLS failed: certificate expired',
      })
      expect(client.idle).toBe(0)
    }
  })
  test('a handshake that hangs ends in time', async () => {
    const b = bench([
      async peer => {
        peer.handshake = () => 'never'
        peer.say('220 hi\r\n')
        await peer.line()
        peer.say('250-mx\r\n250 STARTTLS\r\n')
        await peer.line()
        peer.say('220 go\r\n')
      },
    ])
    const sending = b.client.send(mail(), target(tls('may')), never)
    await b.clock.advance(120_000)
    expect((await sending)[0]).toMatchObject({ fate: 'deferred', phase: 'tls' })
    expect(b.clock.pending).toBe(0)
  })
})

test('TLS from the first byte comes before the banner, and STARTTLS is not used again', async () => {
  const to = target({ ...tls('encrypt'), implicitTls: true, port: 465 })
  const { outcome, peer } = await send(`${greeting('STARTTLS')}${rest}`, to)
  expect(outcome).toMatchObject({ fate: 'relayed', tls: { version: 'TLSv1.3' } })
  expect(peer?.needs).toHaveLength(1)
  const failed = await send(async p => void (p.handshake = () => new Error('no')), to)
  expect(failed.outcome).toMatchObject({ fate: 'deferred', phase: 'tls' })
})

describe('AUTH', () => {
  const credentials = { user: 'bob', password: 'pässword' }
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  const plain = base64('\0bob\0pässword')
  const to = target({ ...tls('verify'), credentials })
  const hello = (...auth: readonly string[]): string =>
    `${greeting('STARTTLS', ...auth)}C: STARTTLS\nS: 220 go\n${greeting(...auth).replace('S: 220 mx.example.org ESMTP\n', '')}`

  test('PLAIN is preferred, with its response in the command', async () => {
    const { outcome } = await send(`${hello('AUTH LOGIN PLAIN')}C: AUTH PLAIN ${plain}\nS: 235 ok\n${rest}`, to)
    expect(outcome?.fate).toBe('relayed')
  })
  test('PLAIN with a long response waits for 334', async () => {
    const long = { user: 'bob', password: 'x'.repeat(500) }
    const response = base64(`\0bob\0${long.password}`)
    const script = `${hello('AUTH PLAIN')}C: AUTH PLAIN\nS: 334 \nC: ${response}\nS: 235 ok\n${rest}`
    expect((await send(script, { ...to, credentials: long })).outcome?.fate).toBe('relayed')
  })
  test('LOGIN when there is no PLAIN, also in the old form of its keyword', async () => {
    for (const keyword of ['AUTH LOGIN', 'AUTH=LOGIN']) {
      const script = `${hello(keyword)}C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: ${base64('bob')}\nS: 334 UGFzc3dvcmQ6\nC: ${base64('pässword')}\nS: 235 ok\n${rest}`
      expect((await send(script, to)).outcome?.fate).toBe('relayed')
    }
  })
  test('never in clear, unless the target says so', async () => {
    const clear = target({ ...tls('may'), credentials })
    const { outcome, said } = await send(`${greeting('AUTH PLAIN')}C: QUIT\nX: left`, clear)
    expect(outcome).toMatchObject({ fate: 'deferred', phase: 'auth', status: '4.7.11' })
    expect(said).not.toContain('AUTH')
    const allowed = await send(`${greeting('AUTH PLAIN')}C: AUTH PLAIN ${plain}\nS: 235 ok\n${rest}`, {
      ...clear,
      authInClear: true,
    })
    expect(allowed.outcome?.fate).toBe('relayed')
  })
  test('refused is for now: the credentials are ours to put right', async () => {
    const { outcome } = await send(
      `${hello('AUTH PLAIN')}C: AUTH PLAIN ${plain}\nS: 535 5.7.8 wrong password\nC: QUIT`,
      to,
    )
    expect(outcome).toMatchObject({ fate: 'deferred', phase: 'auth', reply: { code: 535, enhanced: '5.7.8' } })
    expect(JSON.stringify(outcome)).not.toContain(plain)
  })
  test('refused in the middle says no password', async () => {
    const { said } = await send(
      `${hello('AUTH LOGIN')}C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: ${base64('bob')}\nS: 535 no\nC: QUIT`,
      to,
    )
    expect(said).not.toContain(base64('pässword'))
  })
  test('without a mechanism that we have is deferred', async () => {
    expect((await send(`${hello('AUTH XOAUTH2')}C: QUIT`, to)).outcome).toMatchObject({
      fate: 'deferred',
      phase: 'auth',
      status: '4.7.4',
    })
  })
  test('lost in the middle is deferred', async () => {
    expect((await send(`${hello('AUTH PLAIN')}C: AUTH PLAIN ${plain}\nX: reset`, to)).outcome).toMatchObject({
      fate: 'deferred',
      phase: 'auth',
      status: '4.4.2',
    })
  })
})
