import { createServer, type AddressInfo, type Server } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { recorder } from '../test/pair.ts'
import { systemNetwork } from './network.ts'

const network = systemNetwork()
const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})
const listening = async (on: { readonly path: string } | { readonly port: number; readonly host: string }) => {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.end(`${socket.remoteAddress ?? 'local'}\r\n`)
  })
  servers.push(server)
  await new Promise<void>(resolve => server.listen(on, resolve))
  return server.address() as AddressInfo
}

test('dials an address, from the source that was asked for', async () => {
  const { port } = await listening({ port: 0, host: '127.0.0.1' })
  const wire = await network.dial({ host: '127.0.0.1', port, source: '127.0.0.2' })
  const reader = recorder()
  wire.read(reader)
  await reader.until(r => r.ended)
  expect(reader.text).toBe('127.0.0.2\r\n')
  expect([wire.peer, wire.local.ip]).toEqual([{ ip: '127.0.0.1', port }, '127.0.0.2'])
})

test('dials a local socket', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'posthorn-'))
  const path = join(directory, 'lmtp')
  await listening({ path })
  const wire = await network.dial({ host: 'ignored', port: 24, path })
  const reader = recorder()
  wire.read(reader)
  await reader.until(r => r.ended)
  expect(wire.peer).toEqual({ ip: '127.0.0.1', port: 0 })
  await rm(directory, { recursive: true })
})

test('tells by the code why there is no connection', async () => {
  const { port } = await listening({ port: 0, host: '127.0.0.1' })
  await new Promise(resolve => servers.pop()?.close(resolve))
  await expect(network.dial({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  await expect(network.dial({ host: '127.0.0.1', port, source: '192.0.2.1' })).rejects.toMatchObject({
    code: 'EADDRNOTAVAIL',
  })
  await expect(network.dial({ host: '', port: 0, path: '/no/such/socket' })).rejects.toMatchObject({ code: 'ENOENT' })
})

test('gives up when told to, before and during the attempt', async () => {
  await expect(network.dial({ host: '127.0.0.1', port: 9 }, AbortSignal.abort(new Error('enough')))).rejects.toThrow(
    'enough',
  )
  const controller = new AbortController()
  const dialling = network.dial({ host: '192.0.2.1', port: 9 }, controller.signal)
  controller.abort(new Error('enough'))
  await expect(dialling).rejects.toThrow('enough')
})
