import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { manualClock } from '@posthorn/testkit'
import { expect, test } from 'vitest'
import { parseResolvConf, parseServer, systemServers } from './servers.ts'

test('servers are addresses with or without a port', () => {
  expect(parseServer('192.0.2.53')).toEqual({ ip: '192.0.2.53', port: 53, trusted: false })
  expect(parseServer('192.0.2.53:5353')).toEqual({ ip: '192.0.2.53', port: 5353, trusted: false })
  expect(parseServer('[2001:db8::53]:5353')).toEqual({ ip: '2001:db8::53', port: 5353, trusted: false })
  expect(parseServer('2001:db8::53')).toMatchObject({ port: 53 })
})
test.each(['dns.example', '192.0.2.53:0', '192.0.2.53:99999', '[192.0.2]:53', ''])('%j is no server', text => {
  expect(() => parseServer(text)).toThrow(TypeError)
})
test('the AD bit is trusted from loopback, or when the operator says so', () => {
  expect(parseServer('127.0.0.53').trusted).toBe(true)
  expect(parseServer('::1').trusted).toBe(true)
  expect(parseServer('192.0.2.53', true).trusted).toBe(true)
  expect(parseServer('127.0.0.1', false).trusted).toBe(false)
  expect(parseResolvConf('options edns0 trust-ad\nnameserver 192.0.2.53')[0]?.trusted).toBe(true)
})
test('resolv.conf gives the first three servers, else the one on this machine', () => {
  const text =
    '# a\nsearch x\nnameserver 192.0.2.1\n nameserver\t2001:db8::1 \nnameserver bad\nnameserver 192.0.2.3\nnameserver 192.0.2.4'
  expect(parseResolvConf(text).map(s => s.ip)).toEqual(['192.0.2.1', '2001:db8::1', '192.0.2.3'])
  expect(parseResolvConf('').map(s => s.ip)).toEqual(['127.0.0.1'])
})
test('a changed resolv.conf is read again; a missing one keeps what was known', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'resolv-'))
  const file = join(directory, 'resolv.conf')
  const clock = manualClock()
  writeFileSync(file, 'nameserver 192.0.2.1')
  const servers = systemServers(clock, file)
  expect(servers().map(s => s.ip)).toEqual(['192.0.2.1'])
  writeFileSync(file, 'nameserver 192.0.2.200')
  expect(servers().map(s => s.ip)).toEqual(['192.0.2.1'])
  await clock.advance(5000)
  expect(servers().map(s => s.ip)).toEqual(['192.0.2.200'])
  rmSync(directory, { recursive: true })
  await clock.advance(5000)
  expect(servers().map(s => s.ip)).toEqual(['192.0.2.200'])
})
