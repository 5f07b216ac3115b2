import { describe, expect, test } from 'vitest'
import { definePlugin, pass } from '@posthorn/plugin'
import { reject } from '@posthorn/reply'
import { world, type Client, type World, type WorldOptions } from './world.ts'

const trusting = (o: WorldOptions = {}): Promise<World> =>
  world({ ...o, overrides: { xclient: ['192.0.2.1'], xforward: ['192.0.2.1'], ...o.overrides } })
const greet = async (client: Client): Promise<void> => {
  await client.reply()
  await client.ask('EHLO filter.test')
}
const send = async (client: Client, to = 'bob@example.org'): Promise<string | undefined> => {
  await client.ask('MAIL FROM:<ann@client.test>', `RCPT TO:<${to}>`)
  await client.ask('DATA')
  await client.send('a: b\r\n\r\nx\r\n.\r\n')
  return client.reply()
}

describe('XCLIENT', () => {
  test('is what plugins, the intake and events are told of the client from then on', async () => {
    const asked: string[] = []
    const closed: string[] = []
    const watch = definePlugin({
      name: 'watch',
      setup: () => ({
        connect: ({ ip }) => {
          asked.push(ip)
          return pass
        },
        closed: (_how, { ip }) => void closed.push(ip),
      }),
    })
    const all = await trusting({ plugins: [watch] })
    const client = all.dial()
    await greet(client)
    expect(
      await client.ask('XCLIENT ADDR=203.0.113.9 PORT=4025 HELO=client.test LOGIN=ann PROTO=ESMTP NAME=client.test'),
    ).toEqual(['220 mx.example.org ESMTP'])
    expect([asked, closed]).toEqual([['192.0.2.1', '203.0.113.9'], ['192.0.2.1']])
    await client.ask('EHLO filter.test')
    expect(await send(client, 'x@far.test')).toMatch(/^250 /)
    expect(all.intake.taken[0]?.transaction).toMatchObject({
      protocol: 'ESMTPA',
      client: { ip: '203.0.113.9', port: 4025, helo: 'client.test', user: 'ann' },
    })
    expect(all.events.find(event => event.name === 'session.introduced')?.fields).toMatchObject({
      by: '192.0.2.1',
      ip: '203.0.113.9',
      user: 'ann',
      name: 'client.test',
    })
  })
  test('row 30: twice replaces what was said before, log-in and name too', async () => {
    const all = await trusting()
    const client = all.dial()
    await greet(client)
    await client.ask('XCLIENT ADDR=203.0.113.9 PORT=1 HELO=client.test LOGIN=ann')
    await client.ask('XCLIENT ADDR=[UNAVAILABLE] NAME=[tempunavail] PROTO=SMTP')
    await client.ask('EHLO filter.test')
    expect(await client.ask('MAIL FROM:<ann@client.test>', 'RCPT TO:<x@far.test>', 'RSET')).toEqual([
      '250 2.1.0 Sender ok',
      '550 5.7.1 Relaying denied',
      '250 2.0.0 Ok',
    ])
    await send(client)
    expect(all.intake.taken[0]?.transaction).toMatchObject({
      protocol: 'SMTP',
      client: { ip: '0.0.0.0', port: 0, helo: 'filter.test', user: undefined },
    })
  })
  test('may end in a refusal of that client', async () => {
    const picky = definePlugin({
      name: 'picky',
      setup: () => ({ connect: ({ ip }) => (ip === '203.0.113.9' ? reject(550, '5.7.1', 'Listed') : pass) }),
    })
    const { dial } = await trusting({ plugins: [picky] })
    const client = dial()
    await greet(client)
    expect(await client.ask('XCLIENT ADDR=203.0.113.9')).toEqual(['554 5.7.1 Listed'])
    expect(await client.closed()).toBe(true)
  })
  test('counts the sessions of that client, and those of who speaks for it not at all', async () => {
    const { dial, listener } = await trusting({ limits: { sessionsPerClient: 1 } })
    const clients = [dial(), dial(), dial()]
    for (const client of clients) await greet(client)
    const said = []
    for (const client of clients) said.push(...(await client.ask('XCLIENT ADDR=203.0.113.9')))
    expect(said.map(reply => reply?.slice(0, 9))).toEqual(['220 mx.ex', '421 4.7.0', '421 4.7.0'])
    for (const client of clients) client.reset()
    while (listener.sessions > 0) await new Promise(resolve => setImmediate(resolve))
    const again = dial()
    await greet(again)
    expect(await again.ask('XCLIENT ADDR=203.0.113.9')).toEqual(['220 mx.example.org ESMTP'])
  })
  test('does not make trusted whoever it speaks for', async () => {
    const { dial } = await trusting({ overrides: { xclient: ['192.0.2.1'], xforward: [] } })
    const client = dial()
    await greet(client)
    await client.ask('XCLIENT ADDR=203.0.113.9')
    expect((await client.ask('EHLO filter.test'))[0]).toMatch(/\|250 XCLIENT /)
    expect(await client.ask('XFORWARD ADDR=203.0.113.9')).toEqual(['550 5.7.0 Insufficient authorization'])
  })
})

describe('XFORWARD', () => {
  test('is with the next message and its refusals, for events alone', async () => {
    const all = await trusting()
    const client = all.dial()
    await greet(client)
    await client.ask('XFORWARD ADDR=203.0.113.9 NAME=client.test', 'XFORWARD NAME=[UNAVAILABLE] IDENT=q7')
    await client.ask('MAIL FROM:<ann@client.test>', 'RCPT TO:<x@far.test>')
    expect(all.events.at(-1)?.fields).toMatchObject({ at: 'rcpt', forwarded: { address: '203.0.113.9', ident: 'q7' } })
    await client.ask('RCPT TO:<bob@example.org>', 'DATA')
    await client.send('a: b\r\n\r\n.\r\n')
    await client.reply()
    await send(client)
    expect(all.intake.taken.map(taken => taken.transaction.forwarded)).toEqual([
      { address: '203.0.113.9', ident: 'q7' },
      undefined,
    ])
    expect(all.intake.taken[0]?.transaction.client.ip).toBe('192.0.2.1')
  })
  test('without an address says that the message began where it comes from', async () => {
    const all = await trusting()
    const client = all.dial()
    await greet(client)
    await client.ask('XFORWARD NAME=localhost HELO=a', 'XFORWARD ADDR=[UNAVAILABLE] IDENT=q8')
    await send(client)
    expect(all.intake.taken[0]?.transaction.forwarded).toEqual({ source: 'local', ident: 'q8' })
  })
  test('is forgotten by RSET', async () => {
    const all = await trusting()
    const client = all.dial()
    await greet(client)
    await client.ask('XFORWARD ADDR=203.0.113.9', 'RSET')
    await send(client)
    expect(all.intake.taken[0]?.transaction.forwarded).toBeUndefined()
  })
})

test('row 30: what is trusted and no network is refused when the listener is made', async () => {
  await expect(world({ overrides: { xclient: ['localhost'] } })).rejects.toThrow('neither an address nor a network')
  await expect(world({ overrides: { xforward: ['192.0.2.0/33'] } })).rejects.toThrow('neither an address nor a network')
})
