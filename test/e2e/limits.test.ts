import { createServer, type Server } from 'node:net'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { run, until } from '../peers/command.ts'
import { startPosthorn, stopCleanly, type Running } from '../peers/posthorn.ts'
import { command } from '../peers/site.ts'
import { sendMail, talk } from '../peers/talk.ts'

// Real processes, on machines that do other things as well.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 })

const dir = mkdtempSync(join(tmpdir(), 'posthorn-limits-'))
const config = join(dir, 'posthorn.config.ts')
const posthorn = (...args: readonly string[]) =>
  run(command, [...args, '--config', config, '--state', join(dir, 'var')])
let sink: Server
let server: Running
let taken = 0

interface Listed {
  readonly id: string
  readonly state: string
  readonly waits?: { readonly why: string }
}

/** A next hop that takes everything. */
const takesAll = (): Server =>
  createServer(socket => {
    let content = false
    socket.on('error', () => undefined)
    socket.write('220 sink\r\n')
    socket.on('data', (chunk: Buffer) => {
      const text = chunk.toString('latin1')
      if (content ? !text.endsWith('\r\n.\r\n') : false) return
      for (const line of text.split('\r\n').filter(part => part !== '')) {
        if (content && line !== '.') continue
        if (content) taken++
        content = line.toUpperCase() === 'DATA'
        socket.write(content ? '354 go on\r\n' : '250 ok\r\n')
      }
    })
  })

beforeAll(async () => {
  sink = takesAll()
  await new Promise<void>(resolve => sink.listen(0, '127.0.0.1', resolve))
  const address = sink.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  writeFileSync(
    config,
    `export default {
      hostname: 'mx.example.org', trusted: ['127.0.0.0/8'],
      listeners: { mx: { host: '127.0.0.1', port: 0 }, submission: false, submissions: false },
      outbound: { smarthost: { host: '127.0.0.1', port: ${port}, tls: 'never' } },
      sites: { '127.0.0.1': { rate: '1/h', connections: 3 } },
    }`,
  )
  server = await startPosthorn(['start', '--json', '--config', config, '--state', join(dir, 'var')])
})
afterAll(async () => {
  await stopCleanly(server)
  sink.close()
  rmSync(dir, { recursive: true, force: true })
})

test('check lists the limits towards receivers', async () => {
  const { stdout } = await posthorn('check')
  expect(stdout).toMatch(/receivers\s+127\.0\.0\.1: 3 connections, 1\/h/)
})

test('what a rate does not let go waits in the queue, and list and show say for what, held or not', async () => {
  const client = await talk(server.port('mx'))
  await client.say('EHLO client.example')
  for (let i = 0; i < 4; i++)
    expect(await sendMail(client, { to: [`u${i}@elsewhere.example`], content: 'Subject: x\r\n\r\nx' })).toMatch(/^250 /)
  await until('the first at the next hop', () => taken > 0 || undefined)
  const why = 'waits for the rate limit of 127.0.0.1 (1/h)'
  const rows = await until('three that wait', async () => {
    const { stdout } = await posthorn('queue', 'list', '--json')
    const rows = stdout.split('\n').flatMap(line => (line === '' ? [] : [JSON.parse(line) as Listed]))
    return rows.length === 3 && rows.every(row => row.waits !== undefined) ? rows : undefined
  })
  expect(new Set(rows.map(row => row.waits?.why))).toEqual(new Set([why]))
  expect(new Set(rows.map(row => row.state))).toEqual(new Set(['leased', 'ready']))
  for (const { id } of rows) expect((await posthorn('queue', 'show', id)).stdout).toContain(why)
  expect(taken).toBe(1)
})
