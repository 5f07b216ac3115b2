import { connect as dial } from 'node:net'
import { connect as dialTls } from 'node:tls'
import { afterEach, describe, expect, test } from 'vitest'
import { world, type World, type WorldOptions } from './world.ts'

let all: World
const start = async (
  overrides: NonNullable<WorldOptions['overrides']>,
  limits?: WorldOptions['limits'],
): Promise<number> => {
  all = await world({ overrides, ...(limits === undefined ? {} : { limits }) })
  return (await all.listener.listen({ host: '127.0.0.1', port: 0 })).port
}
afterEach(() => all.listener.close())

/** Say it, and hear all that is said until the end. */
const say = (port: number, pieces: readonly string[]): Promise<string> =>
  new Promise(resolve => {
    let heard = ''
    const socket = dial({ port, host: '127.0.0.1', noDelay: true })
    socket.on('data', chunk => {
      heard += String(chunk)
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(heard))
    const next = (i: number): void => {
      const piece = pieces[i]
      if (piece === undefined) return
      socket.write(piece, 'latin1', () => setImmediate(() => next(i + 1)))
    }
    socket.on('connect', () => next(0))
  })
const opened = (): unknown => all.events.find(event => event.name === 'session.opened')?.fields['ip']
const header = 'PROXY TCP4 192.0.2.77 198.51.100.2 40000 25\r\n'
const binary = '\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x4d\xc6\x33\x64\x02\x9c\x40\x00\x19'
const proxies = ['127.0.0.0/8']

describe('a trusted proxy', () => {
  test.each([
    ['version 1', header],
    ['version 2', binary],
  ])('by %s says who the client is, and what follows is the session', async (_name, word) => {
    const port = await start({ proxies })
    expect(await say(port, [`${word}EHLO client.test\r\nQUIT\r\n`])).toMatch(/^220 [^]*221 2\.0\.0 Bye\r\n$/)
    expect(opened()).toBe('192.0.2.77')
  })
  test('may be slow', async () => {
    const port = await start({ proxies })
    const pieces = binary.split('').concat('QUIT\r\n')
    expect(await say(port, pieces)).toMatch(/^220 /)
    expect(opened()).toBe('192.0.2.77')
  })
  test('may ask for itself', async () => {
    const port = await start({ proxies })
    expect(await say(port, ['PROXY UNKNOWN\r\nQUIT\r\n'])).toMatch(/^220 /)
    expect(opened()).toBe('127.0.0.1')
  })
  test('is believed before implicit TLS, in one piece with it too', async () => {
    const port = await start({ proxies, implicitTls: true })
    for (const wait of [true, false]) {
      const socket = dial({ port, host: '127.0.0.1' })
      socket.write(header)
      if (wait) await new Promise(resolve => setImmediate(resolve))
      const secure = dialTls({ socket, rejectUnauthorized: false })
      const heard = await new Promise(resolve => secure.once('data', chunk => resolve(String(chunk))))
      expect(heard).toMatch(/^220 /)
      expect(opened()).toBe('192.0.2.77')
      secure.destroy()
    }
  })
  test('that says nothing of the kind is closed without a word', async () => {
    const port = await start({ proxies })
    expect(await say(port, ['EHLO client.test\r\n'])).toBe('')
    expect(all.events.find(event => event.name === 'session.refused')?.fields).toMatchObject({
      why: 'PROXY: no header',
    })
  })
  test('that says nothing at all is closed in time', async () => {
    const port = await start({ proxies })
    const heard = say(port, [])
    for (let i = 0; i < 20; i += 1) await new Promise(resolve => setImmediate(resolve))
    await all.clock.advance(11_000)
    expect(await heard).toBe('')
  })
  test('row 30: may not speak twice', async () => {
    const port = await start({ proxies })
    expect(await say(port, [`${header}PROXY TCP4 192.0.2.78 198.51.100.2 40000 25\r\nQUIT\r\n`])).toMatch(
      /^220 [^\n]*\n500 5\.5\.1 /,
    )
    expect(opened()).toBe('192.0.2.77')
  })
  test('row 30: limits count its clients, not itself', async () => {
    const port = await start({ proxies }, { sessionsPerClient: 1 })
    const first = dial({ port, host: '127.0.0.1' })
    await new Promise(resolve => {
      first.once('data', resolve)
      first.write(header)
    })
    expect(await say(port, [header])).toMatch(/^421 4\.7\.0 /)
    expect(await say(port, [header.replace('.77', '.78'), 'QUIT\r\n'])).toMatch(/^220 /)
    first.destroy()
  })
})

describe('row 30: anybody else', () => {
  test.each([
    ['version 1', `${header}QUIT\r\n`, /^220 [^\n]*\n500 5\.5\.1 [^\n]*\n221 /],
    ['version 2', binary, /^220 [^\n]*\n500 5\.5\.1 [^\n]*\n500 5\.5\.1 [^\n]*\n500 5\.5\.2 /],
  ])('is not believed with %s', async (_name, word, expected) => {
    const port = await start({ proxies: ['192.0.2.0/24', '2001:db8::/32', '::1'] })
    const heard = await say(port, [word])
    expect(heard).toMatch(expected)
    expect(opened()).toBe('127.0.0.1')
  })
})

test('what is no network is refused when the listener opens', async () => {
  for (const wrong of ['localhost', '192.0.2.0/33', '192.0.2.0/', '192.0.2.0/8/8', '::/129', '']) {
    all = await world({ overrides: { proxies: [wrong] } })
    await expect(all.listener.listen({ host: '127.0.0.1', port: 0 })).rejects.toThrow(
      `neither an address nor a network: ${JSON.stringify(wrong)}`,
    )
  }
})
