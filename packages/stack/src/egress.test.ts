import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import type { Network } from '@posthorn/contracts'
import { checkConfig } from './config.ts'
import { egressNetwork, hasEgress } from './egress.ts'

const egressOf = (egress: object) => checkConfig({ hostname: 'mx.example.org', egress }).egress
const recording = () => {
  const dialled: object[] = []
  const network: Network = {
    dial: async to => {
      dialled.push(to)
      throw new Error('not here')
    },
  }
  return { dialled, network }
}
const signal = AbortSignal.timeout(10_000)

test('connections leave from the address of their family, but on this machine and where a plugin chose another', async () => {
  const { dialled, network } = recording()
  const out = egressNetwork(egressOf({ source: { ipv4: '192.0.2.1', ipv6: '2001:db8::1' } }), network)
  const dial = (host: string, source?: string) =>
    out.dial({ host, port: 25, ...(source === undefined ? {} : { source }) }, signal).catch(() => undefined)
  for (const host of ['198.51.100.1', '2001:db8::25', '127.0.0.1', '::1', 'relay']) await dial(host)
  await dial('198.51.100.1', '192.0.2.9')
  expect(dialled).toEqual([
    { host: '198.51.100.1', port: 25, source: '192.0.2.1' },
    { host: '2001:db8::25', port: 25, source: '2001:db8::1' },
    { host: '127.0.0.1', port: 25 },
    { host: '::1', port: 25 },
    { host: 'relay', port: 25 },
    { host: '198.51.100.1', port: 25, source: '192.0.2.9' },
  ])
})

test('without any of it the network is that which was given', () => {
  const { network } = recording()
  expect(egressNetwork(egressOf({}), network)).toBe(network)
  expect([hasEgress(egressOf({})), hasEgress(egressOf({ source: { ipv4: '192.0.2.1' } }))]).toEqual([false, true])
})

test.each([
  ['socks5', '050100'],
  // PROXY 2: signature, command, family, length, source, destination, ports.
  ['haproxy', '0d0a0d0a000d0a515549540a2111000cc0000201c633640100000019'],
] as const)('a %s proxy is what is dialled', async (kind, greeting) => {
  const { promise, resolve } = Promise.withResolvers<string>()
  const proxy = createServer(socket => {
    socket.on('error', () => undefined)
    socket.once('data', chunk => {
      resolve(chunk.toString('hex'))
      socket.destroy()
    })
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const place = { host: '127.0.0.1', port: (proxy.address() as AddressInfo).port }
  const out = egressNetwork(egressOf({ source: { ipv4: '192.0.2.1' }, proxy: { [kind]: place } }), undefined)
  void out.dial({ host: '198.51.100.1', port: 25 }, signal).then(
    wire => wire.abort(),
    () => undefined,
  )
  expect(await promise).toBe(greeting)
  proxy.close()
})
