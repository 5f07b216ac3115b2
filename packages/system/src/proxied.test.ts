import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { recorder } from '../test/pair.ts'
import { haproxyNetwork, socksNetwork, type SocksProxy } from './index.ts'
import { ipOctets } from './ip-octets.ts'
import { proxyHeader } from './proxy-header.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})
const listen = async (on: (socket: Socket) => void): Promise<{ host: string; port: number }> => {
  const server = createServer(socket => {
    socket.on('error', () => {})
    on(socket)
  })
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}
/** A proxy of few words: answers each chunk with the next of these; what it heard, in hexadecimal. */
const talker = async (...answers: readonly string[]) => {
  const heard: string[] = []
  const at = await listen(socket => {
    const left = [...answers]
    socket.on('data', chunk => {
      heard.push(chunk.toString('hex'))
      const next = left.shift()
      if (next === 'close') socket.destroy()
      else if (next !== undefined) socket.write(Buffer.from(next, 'hex'))
    })
  })
  return { at, heard }
}
const target = { host: '192.0.2.9', port: 25 }
const login: Pick<SocksProxy, 'login'> = { login: { user: 'u', password: 'pw' } }

describe('SOCKS5 (RFC 1928)', () => {
  test('leads to the peer, whose first words are not lost', async () => {
    const peer = await listen(socket => socket.end('220 mx\r\n'))
    const proxy = await listen(socket => {
      let step = 0
      socket.on('data', chunk => {
        if (step++ === 0) return socket.write(Buffer.of(5, 0))
        const to = connect(chunk.readUInt16BE(8), [...chunk.subarray(4, 8)].join('.'))
        // The answer and the greeting in one write.
        to.once('data', greeting => socket.end(Buffer.concat([Buffer.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0), greeting])))
        return undefined
      })
    })
    const wire = await socksNetwork(proxy).dial(peer)
    const reader = recorder()
    wire.read(reader)
    await reader.until(r => r.ended)
    expect([reader.text, wire.peer]).toEqual(['220 mx\r\n', { ip: peer.host, port: peer.port }])
  })
  test('with a login (RFC 1929 §2), to an IPv6 address, answered by a name', async () => {
    const { at, heard } = await talker('0502', '0100', '05000003026d780019')
    const wire = await socksNetwork({ ...at, ...login }).dial({ host: '2001:db8::19', port: 587 })
    expect(heard).toEqual(['050102', '010175027077', '0501000420010db8000000000000000000000019024b'])
    wire.abort()
  })
  test.each([
    ['05', 'ECONNREFUSED', 'connection refused'],
    ['04', 'EHOSTUNREACH', 'no route to host'],
    ['03', 'ENETUNREACH', 'no route to network'],
    ['06', 'ETIMEDOUT', 'connection timed out'],
    ['02', 'EPROXY', 'not allowed by its rules'],
    ['63', 'EPROXY', 'an answer without a meaning'],
  ])('the answer %s is %s', async (answer, code, why) => {
    const { at } = await talker('0500', `05${answer}0001000000000000`)
    await expect(socksNetwork(at).dial(target)).rejects.toMatchObject({
      code,
      message: `proxy 127.0.0.1:${at.port}: ${why}`,
    })
  })
  test.each([
    ['speaks HTTP', ['485454502f312e31'], {}, 'does not speak SOCKS5'],
    ['takes no one', ['05ff'], {}, 'does not take us'],
    ['wants no login where we have one', ['0500'], login, 'does not take us'],
    ['refuses the login', ['0502', '0101'], login, 'refuses the login'],
    ['names an address of no kind', ['0500', '0500000700000000'], {}, 'does not speak SOCKS5'],
    ['closes in the middle', ['0500', 'close'], {}, 'closed the connection'],
  ] as const)('a proxy that %s is said to be the trouble', async (_what, answers, more, why) => {
    const { at } = await talker(...answers)
    await expect(socksNetwork({ ...at, ...more }).dial(target)).rejects.toMatchObject({
      code: 'EPROXY',
      message: `proxy 127.0.0.1:${at.port}: ${why}`,
    })
  })
  test('a proxy that is not there, or silent, or given up', async () => {
    const { at } = await talker()
    await expect(socksNetwork(at, { connectTimeoutMs: 50 }).dial(target)).rejects.toMatchObject({
      name: 'TimeoutError',
    })
    const controller = new AbortController()
    const dialling = socksNetwork(at).dial(target, controller.signal)
    controller.abort(new Error('enough'))
    await expect(dialling).rejects.toThrow('enough')
    await new Promise(resolve => servers.pop()?.close(resolve))
    await expect(socksNetwork(at).dial(target)).rejects.toMatchObject({ code: 'EPROXY' })
  })
})

describe('the PROXY protocol outward', () => {
  const signature = '0d0a0d0a000d0a515549540a'
  test('tells the proxy source and destination, then carries the peer', async () => {
    const heard: string[] = []
    const at = await listen(socket =>
      socket.once('data', chunk => {
        heard.push(chunk.toString('hex'))
        socket.end('220 mx\r\n')
      }),
    )
    const wire = await haproxyNetwork(at).dial({ ...target, source: '192.0.2.1' })
    const reader = recorder()
    wire.read(reader)
    await reader.until(r => r.ended)
    expect(heard).toEqual([`${signature}2111000cc0000201c000020900000019`])
    expect([reader.text, wire.peer]).toEqual(['220 mx\r\n', { ip: '192.0.2.9', port: 25 }])
  })
  test('leaves the source to the proxy when there is none, and never mixes families', async () => {
    const { at, heard } = await talker('00')
    const wire = await haproxyNetwork(at).dial({ host: '2001:db8::1', port: 25 })
    const reader = recorder()
    wire.read(reader)
    await reader.until(r => r.text !== '')
    expect(heard).toEqual([`${signature}21210024${'0'.repeat(32)}20010db800000000000000000000000100000019`])
    wire.abort()
    await expect(haproxyNetwork(at).dial({ ...target, source: '2001:db8::2' })).rejects.toMatchObject({
      code: 'EPROXY',
    })
  })
  test('a header is made of addresses only', () => {
    expect(proxyHeader({ ip: 'mx', port: 0 }, { ip: '192.0.2.1', port: 25 })).toBeUndefined()
  })
})

test.each([
  ['192.0.2.1', 'c0000201'],
  ['::', '0'.repeat(32)],
  ['2001:DB8:0:0:1::', '20010db8000000000001000000000000'],
  ['::ffff:192.0.2.1', '00000000000000000000ffffc0000201'],
  ['fe80::1%eth0', 'fe800000000000000000000000000001'],
])('the octets of %s', (ip, hex) => {
  expect(ipOctets(ip)?.toString('hex')).toBe(hex)
})
