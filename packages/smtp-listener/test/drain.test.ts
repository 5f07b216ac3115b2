import { expect, test } from 'vitest'
import { queuedAs } from '@posthorn/reply'
import { world, type Client } from './world.ts'
import type { Reply } from '@posthorn/reply'

const open = async (client: Client): Promise<void> => {
  await client.reply()
  await client.ask('EHLO client.test')
}
const bye = '421 4.3.2 Service shutting down, try again later'

test('idle sessions are told at once, and new ones are not begun', async () => {
  const { dial, listener } = await world()
  const client = dial()
  await open(client)
  await client.ask('MAIL FROM:<ann@client.test>')
  const drained = listener.drain(1000)
  expect(await client.reply()).toBe(bye)
  expect(await dial().reply()).toBe(bye)
  await client.closed()
  await drained
  expect(listener.sessions).toBe(0)
})

test('a message that is coming in is taken, then the session ends', async () => {
  const { dial, listener, intake } = await world()
  const client = dial()
  await open(client)
  await client.ask('MAIL FROM:<ann@client.test>', 'RCPT TO:<bob@example.org>', 'DATA')
  const drained = listener.drain(60_000)
  await client.send('Subject: a\r\n\r\n.\r\n')
  expect(await client.reply()).toMatch(/^250 /)
  expect(await client.reply()).toBe(bye)
  await client.closed()
  await drained
  expect(intake.taken.map(t => t.fate)).toEqual(['committed'])
})

test('a message that is being stored gets its reply first', async () => {
  const { dial, listener, intake } = await world()
  let done: (reply: Reply) => void = () => {}
  intake.conclude = () => new Promise(resolve => (done = resolve))
  const client = dial()
  await open(client)
  await client.ask('MAIL FROM:<ann@client.test>', 'RCPT TO:<bob@example.org>', 'DATA')
  await client.send('Subject: a\r\n\r\n.\r\n')
  const drained = listener.drain(60_000)
  expect(client.unread()).toBeUndefined()
  done(queuedAs('late'))
  expect(await client.reply()).toBe('250 2.0.0 Ok: queued as late')
  expect(await client.reply()).toBe(bye)
  await client.closed()
  await drained
})

test('what remains after the grace is cut off', async () => {
  const { dial, listener, clock, intake } = await world()
  const client = dial()
  await open(client)
  await client.ask('MAIL FROM:<ann@client.test>', 'RCPT TO:<bob@example.org>', 'DATA')
  const drained = listener.drain(5000)
  await clock.advance(5000)
  await drained
  expect(await client.closed()).toBe(true)
  expect(listener.sessions).toBe(0)
  expect(intake.taken.map(t => t.fate)).toEqual(['aborted'])
})

test('draining nothing is done at once, and closing twice is harmless', async () => {
  const { listener } = await world()
  await listener.drain(5000)
  await listener.close()
  await listener.close()
  expect(listener.sessions).toBe(0)
})
