import { createServer, type Server, type Socket } from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseMailbox } from '@posthorn/address'
import { systemNetwork } from '@posthorn/system'
import { manualClock, seededRandom } from '@posthorn/testkit'
import { dovecotUsers, type DovecotUsers } from './authenticator.ts'

const greeting =
  'VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tSCRAM-SHA-256\tmutual-auth\nMECH\tANONYMOUS\tanonymous\nMECH\tEXTERNAL\n' +
  'MECH\tSCRAM-SHA-256-PLUS\tmutual-auth\nMECH\tsm\u00e4ll\nSPID\t1\nCUID\t1\nCOOKIE\t0123\nDONE\n'
const base64 = (text: string): string => Buffer.from(text).toString('base64')

let directory: string
let server: Server
let sockets: Socket[]
/** What was said to it, line by line. */
let heard: string[]
let onLine: (line: string, socket: Socket) => void
let onConnection: (socket: Socket) => void
let users: DovecotUsers
let clock: ReturnType<typeof manualClock>
const errors: unknown[] = []
const path = (): string => join(directory, 'auth')

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'posthorn-dovecot-'))
  heard = []
  sockets = []
  errors.length = 0
  onConnection = socket => void socket.write(greeting, 'latin1')
  onLine = () => undefined
  server = createServer(socket => {
    sockets.push(socket)
    let text = ''
    socket.on('error', () => {})
    socket.on('data', chunk => {
      text += String(chunk)
      const lines = text.split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) {
        heard.push(line)
        onLine(line, socket)
      }
    })
    onConnection(socket)
  })
  await new Promise<void>(resolve => void server.listen(path(), resolve))
  clock = manualClock()
  users = dovecotUsers({
    at: { path: path() },
    network: systemNetwork(),
    clock,
    random: seededRandom(1),
    domains: ['example.org', 'example.net'],
    most: 3,
    onError: error => errors.push(error),
  })
})
afterEach(async () => {
  users.close()
  for (const socket of sockets) socket.destroy()
  await new Promise(resolve => server.close(resolve))
  rmSync(directory, { recursive: true, force: true })
})

const { signal } = new AbortController()
const client = { ip: '192.0.2.7', port: 4025, local: { ip: '192.0.2.1', port: 587 }, secure: true }
const begin = (mechanism = 'PLAIN') => users.sasl.begin(mechanism, client)
const octets = (text: string): Uint8Array => Buffer.from(text)
const idOf = (line: string): string => line.split('\t')[1] ?? ''
/** Answers each AUTH. */
const answering = (answer: (id: string) => string) => (line: string, socket: Socket) =>
  line.startsWith('AUTH') ? void socket.write(answer(idOf(line))) : undefined

test('a log-in in one step is passed on with who asks, and the name comes back', async () => {
  onLine = answering(id => `OK\t${id}\tuser=Ann=B\u0001tC\toriginal_user=x\n`)
  // A tab cannot stand in a name, however it is written.
  await expect(begin().answer(octets('\0ann\0secret'), signal)).rejects.toThrow('without a name that can be read')
  onLine = answering(id => `OK\t${id}\tuser=ann\n`)
  expect(await begin().answer(octets('\0ann\0secret'), signal)).toEqual({ identity: { user: 'ann' } })
  expect(heard[0]).toBe('VERSION\t1\t2')
  expect(heard[1]).toMatch(/^CPID\t[1-9]\d*$/)
  expect(heard.at(-1)).toBe(
    `AUTH\t2\tPLAIN\tservice=smtp\tnologin\trip=192.0.2.7\trport=4025\tlip=192.0.2.1\tlport=587\tsecured\tresp=${base64('\0ann\0secret')}`,
  )
  expect(sockets).toHaveLength(1)
})
test('challenges and responses go through, and a refusal names the user', async () => {
  onLine = (line, socket) => {
    if (line.startsWith('AUTH')) socket.write(`CONT\t${idOf(line)}\t${base64('first')}\n`)
    if (line.startsWith('CONT')) socket.write(`FAIL\t${idOf(line)}\tuser=ann\treason=no\n`)
  }
  const exchange = begin('SCRAM-SHA-256')
  expect(await exchange.answer(undefined, signal)).toEqual({ challenge: Buffer.from('first') })
  expect(await exchange.answer(octets(''), signal)).toEqual({ denied: 'ann' })
  expect(heard.at(-1)).toBe('CONT\t1\t')
  exchange.cancel()
  expect(heard.at(-1)).toBe('CONT\t1\t')
})
test('it may be asked for its mechanisms before anybody logs in, whether it is there or not', async () => {
  await users.connect()
  expect(users.sasl.mechanisms).toEqual(['PLAIN', 'SCRAM-SHA-256'])
  for (const socket of sockets) socket.destroy()
  await new Promise(resolve => server.close(resolve))
  while (errors.length === 0) {
    await new Promise(resolve => setImmediate(resolve))
    await users.connect()
  }
  expect(users.sasl.mechanisms).toEqual(['PLAIN', 'SCRAM-SHA-256'])
})
test('its mechanisms are those it names, but for what is nobody’s or needs facts that are not passed on', async () => {
  expect(users.sasl.mechanisms).toEqual(['PLAIN', 'LOGIN'])
  onLine = answering(id => `FAIL\t${id}\n`)
  expect(await begin().answer(octets('x'), signal)).toEqual({ denied: '' })
  expect(users.sasl.mechanisms).toEqual(['PLAIN', 'SCRAM-SHA-256'])
})
test('an exchange that is broken off is cancelled, and room is made for others', async () => {
  onLine = answering(id => `CONT\t${id}\t\n`)
  const three = [begin(), begin(), begin()]
  for (const exchange of three) await exchange.answer(undefined, signal)
  await expect(begin().answer(undefined, signal)).rejects.toThrow('Dovecot: too many exchanges at a time')
  three[0]?.cancel()
  three[0]?.cancel()
  await begin().answer(undefined, signal)
  await expect(begin().answer(undefined, signal)).rejects.toThrow('too many exchanges')
  expect(heard.filter(line => line.startsWith('CANCEL'))).toEqual(['CANCEL\t1'])
})
test('exchanges at the same time do not get each other’s answers', async () => {
  const waiting: string[] = []
  onLine = (line, socket) => {
    if (line.startsWith('AUTH')) waiting.push(idOf(line))
    if (waiting.length === 2)
      socket.write(
        waiting
          .toReversed()
          .map(id => `OK\t${id}\tuser=u${id}\n`)
          .join(''),
      )
  }
  const [one, two] = await Promise.all([begin().answer(octets('a'), signal), begin().answer(octets('b'), signal)])
  expect([one, two]).toEqual([{ identity: { user: 'u1' } }, { identity: { user: 'u2' } }])
  expect(sockets).toHaveLength(1)
})

describe('what is no answer fails for now, and tells nobody that the password was wrong:', () => {
  test('a temporary failure', async () => {
    onLine = answering(id => `FAIL\t${id}\tuser=ann\ttemp\n`)
    await expect(begin().answer(octets('x'), signal)).rejects.toThrow('a temporary failure of its own')
  })
  test('a connection that is lost, which is made anew for the next', async () => {
    onLine = (line, socket) => (line.startsWith('AUTH') ? void socket.destroy() : undefined)
    await expect(begin().answer(octets('x'), signal)).rejects.toThrow('Dovecot: it closed the connection')
    onLine = answering(id => `OK\t${id}\tuser=ann\n`)
    expect(await begin().answer(octets('x'), signal)).toEqual({ identity: { user: 'ann' } })
    expect(sockets).toHaveLength(2)
  })
  test('a service that is not there, until it is', async () => {
    await new Promise(resolve => server.close(resolve))
    await expect(begin().answer(octets('x'), signal)).rejects.toThrow(/ENOENT|ECONNREFUSED/)
    expect(errors).toHaveLength(1)
    await new Promise<void>(resolve => void server.listen(path(), resolve))
    onLine = answering(id => `OK\t${id}\tuser=ann\n`)
    expect(await begin().answer(octets('x'), signal)).toEqual({ identity: { user: 'ann' } })
  })
  test('another version', async () => {
    onConnection = socket => void socket.write('VERSION\t2\t0\nDONE\n')
    await expect(begin().answer(octets('x'), signal)).rejects.toThrow('it speaks version 2.0; we speak 1')
  })
  test('a greeting of something else', async () => {
    onConnection = socket => void socket.write('220 mx.example.org ESMTP\nDONE\n')
    await expect(begin().answer(octets('x'), signal)).rejects.toThrow('it did not say its version')
  })
  test('a line without end', async () => {
    onConnection = socket => void socket.write('x'.repeat(100_000))
    await expect(begin().answer(octets('x'), signal)).rejects.toThrow('a line that is too long')
  })
  test('a greeting that does not come', async () => {
    onConnection = () => undefined
    const answer = begin().answer(octets('x'), signal)
    while (heard.length < 2) await new Promise(resolve => setImmediate(resolve))
    await Promise.all([expect(answer).rejects.toThrow('Dovecot: '), clock.advance(5_000)])
  })
  test('an answer that does not come, which is then not waited for', async () => {
    const deadline = new AbortController()
    onLine = line => (line.startsWith('AUTH') ? deadline.abort(new Error('late')) : undefined)
    await expect(begin().answer(octets('x'), deadline.signal)).rejects.toThrow('Dovecot: late')
    while (heard.at(-1) !== 'CANCEL\t1') await new Promise(resolve => setImmediate(resolve))
  })
})

test('a user may send as the address that is their name, or as their name at our domains', () => {
  const may = (user: string, address: string): boolean => users.maySendAs(user, parseMailbox(address)!)
  expect([may('ann@far.test', 'Ann@far.test'), may('ann@far.test', 'ann+x@far.test')]).toEqual([true, true])
  expect([may('ann', 'ann@example.org'), may('ann', 'ann+x@example.net')]).toEqual([true, true])
  expect([may('ann', 'ann@far.test'), may('ann', 'bob@example.org'), may('ann@far.test', 'ann@example.org')]).toEqual(
    Array(3).fill(false),
  )
  expect([may('*', 'bob@example.org'), may('*@example.org', 'bob@example.org')]).toEqual([false, false])
})
