import { describe, expect, test } from 'vitest'
import { world, type Client } from './world.ts'

const turns = async (count = 5): Promise<void> => {
  for (let i = 0; i < count; i += 1) await new Promise(resolve => setImmediate(resolve))
}
const greet = async (client: Client): Promise<void> => {
  await client.reply()
  await client.ask('EHLO client.test')
}

describe('row 27, 28: mistakes', () => {
  test('are answered later and later, and what came before them does not wait', async () => {
    const { dial, clock } = await world({ limits: { tarpitAfter: 2, tarpitMs: 1000, errors: 100 } })
    const client = dial()
    await greet(client)
    expect(await client.ask('FOO', 'FOO')).toEqual(Array(2).fill('500 5.5.1 Command not recognised'))
    await client.send('NOOP\r\nFOO\r\nNOOP\r\n')
    await turns()
    expect(await client.reply()).toBe('250 2.0.0 Ok')
    await clock.advance(999)
    expect(client.unread()).toBeUndefined()
    await clock.advance(1)
    expect([await client.reply(), await client.reply()]).toEqual(['500 5.5.1 Command not recognised', '250 2.0.0 Ok'])
    await client.send('FOO\r\n')
    await turns()
    await clock.advance(1999)
    expect(client.unread()).toBeUndefined()
    await clock.advance(1)
    expect(await client.reply()).toMatch(/^500 /)
  })
  test('in guessing recipients are among them, and the wait has an end', async () => {
    const { dial, clock } = await world({ limits: { tarpitAfter: 1, tarpitMs: 1000, recipientFailures: 100 } })
    const client = dial()
    await greet(client)
    await client.ask('MAIL FROM:<ann@client.test>')
    for (let i = 0; i < 20; i += 1) {
      await client.send(`RCPT TO:<nobody${i}@example.org>\r\n`)
      await turns()
      await clock.advance(5000)
      expect(await client.reply()).toMatch(/^550 5\.1\.1 /)
    }
  })
  test('of a client that leaves are waited for no longer', async () => {
    const { dial, clock, listener, events } = await world({ limits: { tarpitAfter: 0, tarpitMs: 1000 } })
    const client = dial()
    await greet(client)
    await client.send('FOO\r\n')
    await turns()
    client.reset()
    await turns()
    expect(listener.sessions).toBe(0)
    await clock.advance(60_000)
    expect(events.filter(event => event.name === 'error')).toEqual([])
  })
  test('row 32: a wrong password counts for three', async () => {
    const { dial, clock } = await world({
      service: 'submission',
      limits: { tarpitAfter: 2, tarpitMs: 1000 },
      overrides: { authRequiresTls: false },
    })
    const client = dial()
    await greet(client)
    await client.send(`AUTH PLAIN ${Buffer.from('\0ann\0wrong').toString('base64')}\r\n`)
    await turns()
    await clock.advance(999)
    expect(client.unread()).toBeUndefined()
    await clock.advance(1)
    expect(await client.reply()).toMatch(/^535 /)
  })
})

describe('a greeting that waits', () => {
  test('refuses who speaks before it', async () => {
    const { dial, clock, events, trace } = await world({ limits: { greetDelayMs: 6000 } })
    const client = dial()
    await client.send('EHLO client.test\r\n')
    await turns()
    expect(client.unread()).toBeUndefined()
    await clock.advance(6000)
    expect(await client.reply()).toBe('554 5.5.1 Client spoke before its turn')
    expect(await client.closed()).toBe(true)
    expect(events.find(event => event.name === 'session.refused')?.fields['reply']).toMatch(/^554 5\.5\.1 /)
    expect(trace).not.toContain('C: EHLO client.test')
  })
  test('row 17: also with a line that was only begun', async () => {
    const { dial, clock } = await world({ limits: { greetDelayMs: 6000 } })
    const client = dial()
    await client.send('E')
    await clock.advance(6000)
    expect(await client.reply()).toMatch(/^554 /)
  })
  test('comes to who waits for it', async () => {
    const { dial, clock } = await world({ limits: { greetDelayMs: 6000 } })
    const client = dial()
    await turns()
    await clock.advance(6000)
    expect(await client.reply()).toMatch(/^220 /)
  })
})

describe('when nearly all sessions are taken', () => {
  test('idle ones are given less time, also those that were there before; and again more when it is over', async () => {
    const { dial, clock, events, listener } = await world({ limits: { sessions: 10, sessionMs: 10_000_000 } })
    const clients = Array.from({ length: 8 }, () => dial())
    for (const client of clients) await greet(client)
    await clock.advance(60_000)
    expect(listener.sessions).toBe(8)
    const last = dial()
    await greet(last)
    expect(events.some(event => event.name === 'service.stress')).toBe(true)
    await clock.advance(9000)
    expect(await last.ask('NOOP')).toEqual(['250 2.0.0 Ok'])
    expect(listener.sessions).toBe(9)
    await clock.advance(1100)
    for (const client of clients) expect(await client.reply()).toMatch(/^421 4\.4\.2 /)
    await turns()
    expect(listener.sessions).toBe(1)
    expect(events.filter(event => event.name === 'service.stress').map(event => event.fields['stressed'])).toEqual([
      true,
      false,
    ])
    await last.ask('NOOP')
    await clock.advance(60_000)
    expect(listener.sessions).toBe(1)
  })
})

describe('a message', () => {
  const begin = async (
    o: Parameters<typeof world>[0] = {},
  ): Promise<{ client: Client; all: Awaited<ReturnType<typeof world>> }> => {
    const all = await world(o)
    const client = all.dial()
    await greet(client)
    await client.ask('MAIL FROM:<ann@client.test>', 'RCPT TO:<bob@example.org>')
    await client.ask('DATA')
    return { client, all }
  }
  test('must come with some speed, and is broken off otherwise', async () => {
    const { client, all } = await begin()
    for (let i = 0; i < 3; i += 1) {
      await client.send('a: b\r\n')
      await all.clock.advance(30_000)
    }
    await client.send('c: d\r\n')
    expect(await client.reply()).toMatch(/^421 4\.4\.2 /)
    expect(all.intake.taken.map(taken => taken.fate)).toEqual(['aborted'])
  })
  test('is not slow for the time that the store takes', async () => {
    const { client, all } = await begin()
    let go = (): void => {}
    all.intake.onWrite = () =>
      new Promise<void>(resolve => {
        go = resolve
      })
    await client.send('a: b\r\n\r\nx\r\n')
    await turns()
    await all.clock.advance(120_000)
    go()
    await turns()
    await client.send('y\r\n')
    await turns()
    go()
    await turns()
    await client.send('.\r\n')
    expect(await client.reply()).toMatch(/^250 /)
  })
})
