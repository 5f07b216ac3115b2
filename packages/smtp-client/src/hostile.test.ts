import { describe, expect, test } from 'vitest'
import type { PeerScript, ScriptedPeer } from '@posthorn/testkit'
import { bench, mail, never, streamed, target } from '../test/exchange.ts'
import type { Journal } from '@posthorn/contracts'
import { createClient, type ClientLimits } from './index.ts'

/** The moments at which a peer may do something bad, each with the good answers before it. */
const steps = ['banner', 'ehlo', 'mail', 'rcpt', 'data', 'dot'] as const
type Step = (typeof steps)[number]
const good: Readonly<Record<Step, string>> = {
  banner: '220 hi\r\n',
  ehlo: '250 mx\r\n',
  mail: '250 ok\r\n',
  rcpt: '250 ok\r\n',
  data: '354 go\r\n',
  dot: '250 ok\r\n',
}

/** A peer that answers well up to the step, and there does what it is told. It does not pipeline. */
const until =
  (bad: Step, act: (peer: ScriptedPeer) => void | Promise<void>): PeerScript =>
  async peer => {
    for (const step of steps) {
      if (step === 'dot') await peer.content()
      else if (step !== 'banner') await peer.line()
      if (step === bad) {
        await act(peer)
        await peer.left()
        return
      }
      peer.say(good[step])
    }
  }

const send = async (script: PeerScript, limits: Partial<ClientLimits> = {}) => {
  const b = bench([script], limits)
  const outcome = (await b.client.send(mail(), target(), never))[0]
  expect([b.network.faults, b.clock.pending, b.client.idle]).toEqual([[], 0, 0])
  return outcome
}

describe.each(steps)('at %s', step => {
  const lost = step === 'dot' ? 'unknown' : 'deferred'

  test.each([
    ['code 999', '999 what\r\n'],
    ['a code of two digits', '25 ok\r\n'],
    ['no code', 'hello there\r\n'],
    ['no digits at all', '\r\n'],
    ['a code run into its text', '250ok\r\n'],
    ['lines of one reply that differ', '250-a\r\n550 b\r\n'],
    ['a NUL', '\u0000\r\n'],
    ['an HTTP answer', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
  ])('row 44: %s ends the conversation', async (_what, reply) => {
    const outcome = await send(until(step, peer => peer.say(reply)))
    expect(outcome).toMatchObject({ fate: lost, phase: step })
    expect(outcome?.cause).toContain('does not speak SMTP')
  })
  test('row 44: an endless reply ends the conversation', async () => {
    const outcome = await send(
      until(step, async peer => {
        for (let i = 0; i < 100_000 && !peer.gone; i++) {
          peer.say('250-more\r\n')
          if (i % 100 === 0) await Promise.resolve()
        }
      }),
    )
    expect(outcome).toMatchObject({ fate: lost, phase: step })
  })
  test('row 44: a line without end costs bounded memory', async () => {
    let said = 0
    const chunk = 'x'.repeat(65_536)
    const outcome = await send(
      until(step, async peer => {
        for (; said < 16_384 && !peer.gone; said++) {
          peer.say(chunk)
          await Promise.resolve()
          await Promise.resolve()
        }
      }),
    )
    expect(outcome).toMatchObject({ fate: lost, phase: step })
    expect(said).toBeLessThan(20)
  })
  test.each([512, 2048, 65_536])('row 27: a line of %i octets is a reply when it ends within 4096', async octets => {
    const outcome = await send(until(step, peer => peer.say(`421 ${'x'.repeat(octets - 6)}\r\n`)))
    const expected = octets > 4096 ? { fate: lost } : { fate: 'deferred', reply: { code: 421 } }
    expect(outcome).toMatchObject({ phase: step, ...expected })
    expect(outcome?.cause.length).toBeLessThan(300)
  })
  test('row 44: 421 defers and ends the conversation', async () => {
    expect(await send(until(step, peer => peer.say('421 4.3.2 going down\r\n')))).toMatchObject({
      fate: 'deferred',
      phase: step,
      reply: { code: 421, enhanced: '4.3.2' },
    })
  })
  test.each(['end', 'reset'] as const)('row 44: %s is told with its phase', async how => {
    expect(await send(until(step, peer => peer[how]()))).toMatchObject({ fate: lost, phase: step, status: '4.4.2' })
  })
  test('row 44: a reply before the reset counts', async () => {
    const outcome = await send(
      until(step, peer => {
        peer.say('450 4.7.1 no\r\n')
        peer.reset()
      }),
    )
    expect(outcome).toMatchObject({ fate: 'deferred', phase: step, reply: { code: 450 } })
  })
  test('row 27: one byte a second does not outlast the deadline', async () => {
    const b = bench([
      until(step, async peer => {
        while (!peer.gone) {
          peer.say('2')
          await new Promise<void>(resolve => ticks.push(resolve))
        }
      }),
    ])
    const ticks: (() => void)[] = []
    const state = { done: false }
    const sending = b.client.send(mail(), target(), never).finally(() => (state.done = true))
    for (let second = 0; second < 700 && !state.done; second++) {
      for (const tick of ticks.splice(0)) tick()
      await b.clock.advance(1000)
    }
    expect(state.done).toBe(true)
    expect((await sending)[0]).toMatchObject({ fate: lost, phase: step })
  })
  test('silence ends at the deadline of RFC 5321 §4.5.3.2', async () => {
    const minutes = { banner: 5, ehlo: 5, mail: 5, rcpt: 5, data: 2, dot: 10 }[step]
    const b = bench([until(step, () => {})])
    let done = false
    const sending = b.client.send(mail(), target(), never).finally(() => (done = true))
    await b.clock.advance(minutes * 60_000 - 1)
    expect(done).toBe(false)
    await b.clock.advance(1)
    expect((await sending)[0]).toMatchObject({ fate: lost, phase: step, status: '4.4.2' })
    expect([b.network.peers[0]?.gone, b.clock.pending]).toEqual([true, 0])
  })
  test('an abort reaches the connection at once', async () => {
    const controller = new AbortController()
    const b = bench([until(step, () => controller.abort(new Error('stop')))])
    const [outcome] = await b.client.send(mail(), target(), controller.signal)
    expect(outcome).toMatchObject({ fate: lost, phase: step })
    expect(outcome?.notTried ?? false).toBe(step !== 'dot')
    expect([b.network.peers[0]?.gone, b.clock.pending]).toEqual([true, 0])
  })
  test('row 44: a 3xx that makes no sense here is not an acceptance', async () => {
    const outcome = await send(until(step, peer => peer.say(step === 'data' ? '334 \r\n' : '354 go\r\n')))
    expect(outcome).toMatchObject({ fate: lost, phase: step })
  })
})

test('row 44: a positive answer to DATA is not a 354', async () => {
  expect(await send(until('data', peer => peer.say('250 ok\r\n')))).toMatchObject({ fate: 'deferred', phase: 'data' })
})

test('row 44: the text of a reply is quoted without control characters and bounded', async () => {
  const outcome = await send(
    until('mail', peer => peer.say(`550 \u001b[2J${'x'.repeat(2000)}\r\n`.replace('550', '421'))),
  )
  expect(outcome?.cause).toMatch(/^421 \?\[2Jx{100,}$/)
  expect(outcome?.cause.length).toBeLessThanOrEqual(200)
})

test('a peer that takes nothing is given up after the deadline for a block', async () => {
  const stuck: PeerScript = async peer => {
    peer.say('220 hi\r\n')
    await peer.line()
    peer.say('250 mx\r\n')
    for (const reply of ['250 ok', '250 ok', '354 go']) {
      await peer.line()
      peer.say(`${reply}\r\n`)
    }
    await peer.left()
  }
  const c = bench([stuck])
  const message = mail({ body: streamed(Array.from({ length: 100 }, () => `${'x'.repeat(8000)}\r\n`)) })
  const sending = c.client.send(message, target(), never)
  // The dialogue takes many turns before anything is stuck.
  for (let turn = 0; turn < 100; turn++) await c.clock.advance(0)
  await c.clock.advance(180_000)
  expect((await sending)[0]).toMatchObject({ fate: 'deferred', phase: 'data', status: '4.4.2' })
  expect(c.clock.pending).toBe(0)
})

test('a connection that hangs is given up after its deadline, and at once on an abort', async () => {
  const b = bench(['never', 'never'])
  const sending = b.client.send(mail(), target(), never)
  await b.clock.advance(30_000)
  expect((await sending)[0]).toMatchObject({
    fate: 'deferred',
    phase: 'connect',
    cause: 'no connection within 30 seconds',
  })
  const controller = new AbortController()
  const aborted = b.client.send(mail(), target(), controller.signal)
  controller.abort(new Error('stop'))
  expect((await aborted)[0]).toMatchObject({ fate: 'deferred', phase: 'connect', notTried: true })
  expect((await b.client.send(mail(), target(), controller.signal))[0]).toMatchObject({ notTried: true })
  expect([b.clock.pending, b.network.dialled.length]).toEqual([0, 2])
})

test('an unexpected exception is a deferral of that message and an event', async () => {
  const events: unknown[] = []
  const journal: Journal = { event: (...event) => void events.push(event), child: () => journal }
  const { network, clock } = bench([until('mail', () => {})])
  const client = createClient({ network, clock, hostname: 'client.example', journal })
  const broken = {
    ...mail(),
    get returnPath(): null {
      throw new Error('bug')
    },
  }
  expect((await client.send(broken, target(), never))[0]).toMatchObject({
    fate: 'deferred',
    status: '4.3.0',
    cause: 'internal error',
  })
  expect(events).toEqual([['error', { component: 'smtp-client', cause: 'bug' }, 'error']])
  expect(network.peers[0]?.gone).toBe(true)
})
