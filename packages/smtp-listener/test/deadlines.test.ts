import { expect, test } from 'vitest'
import { definePlugin } from '@posthorn/plugin'
import { world, type Client } from './world.ts'

const minute = 60_000
const open = async (client: Client): Promise<void> => {
  await client.reply()
  await client.ask('EHLO client.test')
}
const begin = (client: Client): Promise<unknown> =>
  client.ask('MAIL FROM:<ann@client.test>', 'RCPT TO:<bob@example.org>', 'DATA')

test('a silent client is told so after five minutes, and not before', async () => {
  const { dial, clock } = await world()
  const client = dial()
  await open(client)
  await clock.advance(5 * minute - 1)
  expect(client.unread()).toBeUndefined()
  await clock.advance(1)
  expect(await client.reply()).toBe('421 4.4.2 Timeout, closing the connection')
  expect(await client.closed()).toBe(true)
})

test('row 27: one octet a minute does not prolong a command', async () => {
  const { dial, clock } = await world()
  const client = dial()
  await open(client)
  for (let i = 0; i < 5; i += 1) {
    await client.send('N')
    await clock.advance(minute)
  }
  expect(await client.reply()).toMatch(/^421 4\.4\.2 /)
})

test('a command begins the time anew', async () => {
  const { dial, clock } = await world()
  const client = dial()
  await open(client)
  for (let i = 0; i < 4; i += 1) {
    await clock.advance(4 * minute)
    expect(await client.ask('NOOP')).toEqual(['250 2.0.0 Ok'])
  }
})

test('a session ends after an hour whatever it did', async () => {
  const { dial, clock } = await world()
  const client = dial()
  await open(client)
  for (let i = 0; i < 14; i += 1) {
    await clock.advance(4 * minute)
    await client.ask('NOOP')
  }
  await clock.advance(4 * minute)
  expect(await client.reply()).toBe('421 4.4.2 Session has lasted too long, closing the connection')
})

test('a message that stops coming is given up and not kept', async () => {
  const { dial, clock, intake } = await world()
  const client = dial()
  await open(client)
  await begin(client)
  await client.send('Subject: a\r\n\r\n')
  await clock.advance(5 * minute)
  expect(await client.reply()).toMatch(/^421 4\.4\.2 /)
  await client.closed()
  expect(intake.taken.map(t => t.fate)).toEqual(['aborted'])
})

test('a message that comes ever so slowly is given up in the end', async () => {
  const { dial, clock, intake } = await world()
  const client = dial()
  await open(client)
  await begin(client)
  for (let i = 0; i < 10 && !client.isClosed; i += 1) {
    await client.send('x')
    await clock.advance(4 * minute)
  }
  expect(await client.reply()).toMatch(/^421 4\.4\.2 /)
  expect(intake.taken.map(t => t.fate)).toEqual(['aborted'])
})

test('a rate may be asked of messages after their first minute', async () => {
  const { dial, clock, intake } = await world({ limits: { messageRate: 100 } })
  const client = dial()
  await open(client)
  await begin(client)
  await client.send(`Subject: ${'a'.repeat(20_000)}`)
  await clock.advance(2 * minute)
  await client.send('b')
  expect(client.unread()).toBeUndefined()
  await clock.advance(2 * minute)
  await client.send('b')
  expect(await client.reply()).toMatch(/^421 4\.4\.2 /)
  expect(intake.taken.map(t => t.fate)).toEqual(['aborted'])
})

test('a policy that never answers costs its deadline and no more', async () => {
  const stuck = definePlugin({ name: 'stuck', setup: () => ({ mail: () => new Promise(() => {}) }) })
  const { dial, clock } = await world({ plugins: [stuck] })
  const client = dial()
  await open(client)
  await client.send('MAIL FROM:<ann@client.test>\r\n')
  await clock.advance(30_000)
  expect(await client.reply()).toBe('451 4.3.0 Policy check failed, try again later')
  expect(await client.ask('NOOP')).toEqual(['250 2.0.0 Ok'])
})

test('a store that never answers does not hold the connection for ever', async () => {
  const { dial, clock, intake } = await world()
  intake.conclude = () => new Promise(() => {})
  const client = dial()
  await open(client)
  await begin(client)
  await client.send('Subject: a\r\n\r\n.\r\n')
  await clock.advance(10 * minute)
  expect(await client.reply()).toMatch(/^421 /)
  expect(await client.closed()).toBe(true)
})

test('an authenticator that never answers is a failure for now', async () => {
  const { dial, clock } = await world({ service: 'submission', overrides: { authRequiresTls: false } })
  const client = dial()
  await open(client)
  await client.send(`AUTH PLAIN ${Buffer.from('\0slow\0secret').toString('base64')}\r\n`)
  await clock.advance(30_000)
  expect(await client.reply()).toBe('454 4.7.0 Temporary authentication failure')
})

test('a TLS handshake that does not come is given up', async () => {
  const { dial, clock, listener } = await world()
  const client = dial()
  await open(client)
  await client.ask('STARTTLS')
  await clock.advance(minute)
  expect(await client.closed()).toBe(true)
  expect(listener.sessions).toBe(0)
})

test('an implicit TLS handshake that does not come is given up', async () => {
  const { dial, clock, listener } = await world({ overrides: { implicitTls: true } })
  const client = dial()
  expect(listener.sessions).toBe(1)
  await clock.advance(minute)
  expect(await client.closed()).toBe(true)
  expect(listener.sessions).toBe(0)
})

test('no timer is left behind by a session that is over', async () => {
  const { dial, clock } = await world()
  const client = dial()
  await open(client)
  await client.ask('QUIT')
  await client.closed()
  expect(clock.pending).toBe(0)
})

test('a client that does not read its replies is not served more, and cut off in time', async () => {
  const { dial, clock, listener, trace } = await world({ limits: { idleCommands: 1_000_000 } })
  const client = dial()
  await open(client)
  client.deaf()
  for (let i = 0; i < 20; i += 1) await client.send('NOOP\r\n'.repeat(10_000))
  expect(trace.filter(line => line === 'C: NOOP').length).toBeLessThan(20_000)
  await clock.advance(5 * minute)
  expect(listener.sessions).toBe(0)
})
