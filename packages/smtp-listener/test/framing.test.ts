import { describe, expect, test } from 'vitest'
import { byteByByte, whole, type Cut } from '@posthorn/testkit'
import { framingRows } from './framing-rows.ts'
import { world, type Client } from './world.ts'

const smuggled = 'MAIL FROM:<eve@client.test>\r\nRCPT TO:<carol@example.org>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n'
const envelope = ['MAIL FROM:<ann@client.test>', 'RCPT TO:<bob@example.org>', 'DATA'] as const

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
    test.each(framingRows)(
      'row %i: %s in mid-mail leaves one refusal, and the next mail is well',
      async (_row, _n, octets) => {
        const { dial, intake } = await world()
        const client = dial()
        await greet(client)
        expect((await client.ask(...envelope))[2]).toMatch(/^354 /)
        await send(client, `${before}${octets}${smuggled}\r\n.\r\n`, cut)
        expect(await client.reply()).toMatch(/^55[04] 5\.6\.0 /)
        expect((await client.ask(...envelope))[2]).toMatch(/^354 /)
        await send(client, 'Subject: next\r\n\r\nwell\r\n.\r\n', cut)
        expect(await client.reply()).toMatch(/^250 /)
        expect(client.unread()).toBeUndefined()
        expect(intake.taken.filter(t => t.fate === 'committed').map(t => t.content)).toEqual([
          'Subject: next\r\n\r\nwell\r\n',
        ])
        expect(intake.taken.some(t => t.transaction.sender?.wire === 'eve@client.test')).toBe(false)
      },
    )

    test.each(framingRows)('row %i: %s at the end of mail ends nothing', async (_row, _name, octets) => {
      const { dial, intake } = await world()
      const client = dial()
      await greet(client)
      await client.ask(...envelope)
      await send(client, `${before}${octets}`, cut)
      expect(client.unread()).toBeUndefined()
      await send(client, '\r\n.\r\n', cut)
      expect(await client.reply()).toMatch(/^55[04] 5\.6\.0 /)
      expect(await client.ask('NOOP')).toEqual(['250 2.0.0 Ok'])
      expect(intake.taken.map(t => t.fate)).toEqual(['aborted'])
    })
  })
})

test('row 13: a dot cut from its CRLF across segments is found', async () => {
  const { dial, intake } = await world()
  const client = dial()
  await greet(client)
  await client.ask(...envelope)
  for (const piece of ['Subject: a\r\n\r\nx\r', '\n', '.', '\r', '\n']) await client.send(piece)
  expect(await client.reply()).toMatch(/^250 /)
  expect(intake.taken[0]?.content).toBe('Subject: a\r\n\r\nx\r\n')
})

test('content is handed on without its stuffing and otherwise as it came', async () => {
  const { dial, intake } = await world()
  const client = dial()
  await greet(client)
  await client.ask(...envelope)
  await client.send('Subject: a\r\nX-Odd :  b\r\n\tc\r\n\r\n..\r\n..x\r\n\xff\x80 \t\r\n\r\n.\r\n')
  await client.reply()
  expect(intake.taken[0]?.content).toBe('Subject: a\r\nX-Odd :  b\r\n\tc\r\n\r\n.\r\n.x\r\n\xff\x80 \t\r\n\r\n')
})
