import { describe, expect, test } from 'vitest'
import { byteByByte, whole, type Cut } from '@posthorn/testkit'
import { framingRows } from './framing-rows.ts'
import { world, type Client } from './world.ts'

const envelope = ['MAIL FROM:<ann@client.test>', 'RCPT TO:<bob@example.org>'] as const
const smuggled = 'MAIL FROM:<eve@client.test>\r\nRCPT TO:<carol@example.org>\r\nBDAT 4 LAST\r\na: b'

const greet = async (client: Client): Promise<void> => {
  await client.reply()
  await client.ask('EHLO client.test')
}
const send = async (client: Client, text: string, cut: Cut): Promise<void> => {
  for (const piece of cut(Buffer.from(text, 'latin1'))) await client.send(piece)
}

describe.each([
  ['whole', whole],
  ['byte by byte', byteByByte],
] as const)('%s', (_name, cut) => {
  describe.each([
    ['in the body', 'Subject: a\r\n\r\nx'],
    ['in the header section', 'Subject: a'],
  ])('%s', (_where, before) => {
    test.each(framingRows)('row %i: %s in a chunk is refused as after DATA', async (_row, _n, octets) => {
      const { dial, intake } = await world()
      const client = dial()
      await greet(client)
      await client.ask(...envelope)
      const content = `${before}${octets}${smuggled}`
      await send(client, `BDAT ${content.length} LAST\r\n${content}`, cut)
      expect(await client.reply()).toMatch(/^55[04] 5\.6\.0 /)
      await client.ask(...envelope)
      await send(client, 'BDAT 23 LAST\r\nSubject: next\r\n\r\nwell\r', cut)
      expect(client.unread()).toBeUndefined()
      await client.send('\n')
      expect(await client.reply()).toMatch(/^250 /)
      expect(intake.taken.some(t => t.transaction.sender?.wire === 'eve@client.test')).toBe(false)
    })

    test.each(framingRows)(
      'row %i: %s where two chunks meet is refused at the end of the second',
      async (_row, _name, octets) => {
        const { dial, intake } = await world()
        const client = dial()
        await greet(client)
        await client.ask(...envelope)
        const [first, second] = [`${before}${octets.slice(0, 1)}`, `${octets.slice(1)}x\r\n`]
        await send(client, `BDAT ${first.length}\r\n${first}BDAT ${second.length} LAST\r\n${second}`, cut)
        // Where the first of them is refused already, the second is no chunk of a message any more.
        const replies = [await client.reply(), await client.reply()]
        expect(replies.map(reply => reply?.slice(0, 9))).toSatisfy((said: readonly string[]) =>
          [
            ['250 2.0.0', '55[04] 5.6'],
            ['55[04] 5.6', '503 5.5.1'],
          ].some(wanted => wanted.every((beginning, i) => new RegExp(`^${beginning}`).test(said[i] ?? ''))),
        )
        expect(intake.taken.map(t => t.fate)).toEqual(['aborted'])
      },
    )
  })
})

test('row 1: a dot on a line of its own ends nothing in a chunk and is content', async () => {
  const { dial, intake } = await world()
  const client = dial()
  await greet(client)
  await client.ask(...envelope)
  await client.send('BDAT 27 LAST\r\nSubject: a\r\n\r\n.\r\n..\r\nx\r\n.\r\n')
  expect(await client.reply()).toMatch(/^250 /)
  expect(intake.taken[0]?.content).toBe('Subject: a\r\n\r\n.\r\n..\r\nx\r\n.\r\n')
})

test('a binary message is handed on octet for octet and named so to the intake', async () => {
  const { dial, intake } = await world()
  const client = dial()
  await greet(client)
  await client.ask('MAIL FROM:<ann@client.test> BODY=BINARYMIME', envelope[1])
  const body = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join('')
  await client.send(Buffer.from(`BDAT 8\r\na: b\r\n\r\nBDAT 256 LAST\r\n${body}`, 'latin1'))
  expect([await client.reply(), await client.reply()]).toEqual([
    '250 2.0.0 8 octets received',
    '250 2.0.0 Ok: queued as q1',
  ])
  expect(intake.taken[0]?.content).toBe(`a: b\r\n\r\n${body}`)
  expect(intake.taken[0]?.transaction.body).toBe('binarymime')
})

test('row 16: 100,000 chunks of one octet are one message, handed on in few pieces', async () => {
  const { dial, intake } = await world()
  let pieces = 0
  intake.onWrite = () => void (pieces += 1)
  const client = dial()
  await greet(client)
  await client.ask(...envelope)
  const content = `a: b\r\n\r\n${'x'.repeat(99_990)}\r\n`
  const sent = content.replaceAll(/[^]/g, octet => `BDAT 1\r\n${octet}`)
  for (let at = 0; at < sent.length; at += 65_536) await client.send(sent.slice(at, at + 65_536))
  for (let i = 1; i <= content.length; i += 1) await client.reply()
  expect(await client.ask('BDAT 0 LAST')).toEqual(['250 2.0.0 Ok: queued as q1'])
  expect(intake.taken[0]?.content).toBe(content)
  expect(pieces).toBeLessThan(20)
})

test('a store sets the pace of chunks too', async () => {
  const { dial, intake } = await world()
  let go = (): void => {}
  intake.onWrite = () =>
    new Promise<void>(resolve => {
      go = resolve
    })
  const client = dial()
  await greet(client)
  await client.ask(...envelope)
  await client.send('BDAT 9\r\na: b\r\n\r\nxBDAT 2 LAST\r\n\r\n')
  expect(client.unread()).toBeUndefined()
  go()
  expect(await client.reply()).toBe('250 2.0.0 9 octets received')
  expect(await client.reply()).toBe('250 2.0.0 Ok: queued as q1')
})

test('an intake that refuses is said so after the chunk was read', async () => {
  const { dial, intake } = await world()
  const { insufficientStorage } = await import('@posthorn/reply')
  intake.refusal = insufficientStorage
  const client = dial()
  await greet(client)
  await client.ask(...envelope)
  await client.send('BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n')
  expect(await client.reply()).toBe('452 4.3.1 Insufficient system storage')
  expect(await client.reply()).toBe('250 2.0.0 Ok')
})

test('a drain waits between two chunks for the end of the message', async () => {
  const { dial, listener } = await world()
  const client = dial()
  await greet(client)
  await client.ask(...envelope)
  await client.send('BDAT 8\r\na: b\r\n\r\n')
  expect(await client.reply()).toBe('250 2.0.0 8 octets received')
  const drained = listener.drain(60_000)
  await client.send('BDAT 3 LAST\r\nx\r\n')
  expect(await client.reply()).toBe('250 2.0.0 Ok: queued as q1')
  expect(await client.reply()).toMatch(/^421 4\.3\.2 /)
  await drained
})

test('silence between two chunks and within one ends the session and forgets the message', async () => {
  for (const silent of ['', 'BDAT 100 LAST\r\nx']) {
    const { dial, intake, clock } = await world()
    const client = dial()
    await greet(client)
    await client.ask(...envelope)
    await client.send(`BDAT 8\r\na: b\r\n\r\n${silent}`)
    expect(await client.reply()).toBe('250 2.0.0 8 octets received')
    await clock.advance(6 * 60_000)
    expect(await client.reply()).toMatch(/^421 4\.4\.2 /)
    expect(await client.closed()).toBe(true)
    expect(intake.taken.map(t => t.fate)).toEqual(['aborted'])
  }
})

test('octets of a refused chunk are waited for only so long', async () => {
  const { dial, clock } = await world()
  const client = dial()
  await greet(client)
  await client.send('BDAT 1000000 LAST\r\nx')
  await clock.advance(6 * 60_000)
  expect(await client.reply()).toMatch(/^421 4\.4\.2 /)
  expect(await client.closed()).toBe(true)
})
