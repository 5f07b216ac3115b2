import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { run, until, type Ran } from '../peers/command.ts'
import { maildirMessages } from '../peers/maildir.ts'
import { startPosthorn, stopCleanly, type Running } from '../peers/posthorn.ts'
import { command } from '../peers/site.ts'

// Real processes, on machines that do other things as well.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 })

const user = 'me@posthorn.test'
let state: string
let running: Running

beforeAll(async () => {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-trap-'))
  state = join(dir, 'var')
  // Tells of every connection and datagram socket that the process opens.
  const spy = join(dir, 'spy.mjs')
  writeFileSync(
    spy,
    `import net from 'node:net'
import dgram from 'node:dgram'
import { syncBuiltinESMExports } from 'node:module'
const told = what => process.stderr.write('DIALS ' + what + '\\n')
const connect = net.Socket.prototype.connect
net.Socket.prototype.connect = function (...args) { told(JSON.stringify(args[0])); return connect.apply(this, args) }
const create = dgram.createSocket
dgram.createSocket = (...args) => { told('by UDP'); return create(...args) }
syncBuiltinESMExports()
`,
  )
  running = await startPosthorn(['start', '--json', '--any-port', '--state', state], {
    env: { NODE_OPTIONS: `--import=${spy}` },
  })
})
afterAll(async () => {
  await stopCleanly(running)
  rmSync(join(state, '..'), { recursive: true, force: true })
})

const send = (...to: readonly string[]): Promise<Ran> =>
  run(command, ['send', '--state', state, '--to', ...to, '--subject', `to ${to.join(' ')}`, '--text', 'hello'])
const trapped = (subject: string): Promise<string> =>
  until(subject, () => maildirMessages(join(state, 'trap')).find(m => m.includes(`Subject: ${subject}`)))

test('in development mode mail for other domains goes into the trap, says whom it was for, and nothing dials out', async () => {
  const others = ['bob@example.net', `bob@[127.0.0.1]`, 'bob@localhost']
  for (const to of others) {
    expect(await send(to)).toMatchObject({ code: 0, stderr: '' })
    const text = await trapped(`to ${to}`)
    expect(text).toContain(`Delivered-To: ${to}`)
    expect(text).toMatch(/^X-Posthorn-Trap: trap:/m)
  }
  const listed = await run(command, ['mail', 'list', '--trap', '--state', state])
  expect(listed.stdout).toContain('to bob@example.net')
  expect(running.output()).not.toContain('DIALS')
})

test('a message for both worlds is delivered here and trapped', async () => {
  expect(await send(user, 'bob@example.net')).toMatchObject({ code: 0 })
  await trapped(`to ${user} bob@example.net`)
  const here = await until('the copy for me', () => maildirMessages(join(state, 'mail', user)).at(0))
  expect(here).toContain(`Delivered-To: ${user}`)
  expect(here).not.toContain('X-Posthorn-Trap')
})

test('the spy of these tests sees what would dial out', async () => {
  const spied = await startPosthorn(['start', '--json', '--any-port', '--send', '--state', join(state, '../sending')], {
    env: { NODE_OPTIONS: `--import=${join(state, '../spy.mjs')}` },
  })
  const sent = await run(command, [
    'send',
    '--state',
    join(state, '../sending'),
    '--to',
    'bob@posthorn-nowhere.invalid',
    '--text',
    'x',
  ])
  expect(sent.code).toBe(0)
  await until('a question to the DNS', () => (spied.output().includes('DIALS') ? true : undefined))
  expect(await spied.stop()).toBe(0)
})
