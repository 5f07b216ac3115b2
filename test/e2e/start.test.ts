import { spawn } from 'node:child_process'
import { connect } from 'node:net'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { freePort } from '../peers/port.ts'
import { root, startPosthorn } from '../peers/posthorn.ts'
import { run, until, type Ran } from '../peers/command.ts'
import { command, makeSite, type Site } from '../peers/site.ts'
import { talk } from '../peers/talk.ts'

// Real processes, on machines that do other things as well.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 })

/** Nobody listens there. */
const isFree = (port: number): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => (socket.destroy(), resolve(false)))
    socket.once('error', () => resolve(true))
  })

describe('the program', () => {
  let site: Site
  beforeAll(async () => {
    site = await makeSite({
      users: ['ann@example.org'],
      head: `import { definePlugin } from '@posthorn/plugin'
const chatty = definePlugin({ name: 'chatty', setup: ({ log }) => (log('warn', 'begins', {}), {}) })`,
      body: 'plugins: [chatty],',
    })
  })
  afterAll(() => site.remove())

  test('says in its first line where it listens, although there is something to log before that', async () => {
    // `start` rejects when the first line is not the ready line.
    const running = await site.start()
    expect(Object.keys(running.ports)).toEqual(['mx', 'submission', 'submissions', 'lmtp'])
    expect(Object.values(running.ports).every(port => port > 0)).toBe(true)
    expect(await running.stop()).toBe(0)
    expect(running.output()).toContain('"event":"plugin.chatty.begins"')
  })

  test('ends in good order when npm, which started it, is told to end', async () => {
    const state = mkdtempSync(join(tmpdir(), 'posthorn-npm-'))
    const npm = spawn('npm', ['start', '--silent', '--', '--state', state, '--any-port', '--json'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let said = ''
    npm.stdout.on('data', chunk => void (said += String(chunk)))
    const closed = new Promise<void>(resolve => npm.stdout.once('close', () => resolve()))
    await until('the ready line', () => said.includes('"event":"ready"') || undefined)
    npm.kill('SIGTERM')
    // Its output ends with the server itself, not with npm.
    await closed
    expect(said).toContain('"event":"service.stopped"')
    rmSync(state, { recursive: true, force: true })
  })

  test('says 421 4.3.2 to idle sessions on SIGTERM, takes the message that is coming in, and ends with 0', async () => {
    const running = await site.start()
    const idle = await talk(running.ports['mx'] ?? 0)
    await idle.say('EHLO idle.example')
    const busy = await talk(running.ports['mx'] ?? 0)
    await busy.say('EHLO busy.example')
    await busy.say('MAIL FROM:<a@elsewhere.example>')
    await busy.say('RCPT TO:<ann@example.org>')
    await busy.say('DATA')
    await busy.write('Subject: late\r\n\r\nfirst half of the late message\r\n')

    const ended = running.stop()
    expect(await idle.reply()).toMatch(/^421 4\.3\.2 /)
    await idle.ended
    await busy.write('second half\r\n.\r\n')
    expect(await busy.reply()).toMatch(/^250 2\.0\.0 /)
    expect(await busy.reply()).toMatch(/^421 4\.3\.2 /)
    expect(await ended).toBe(0)

    // Committed: in the Maildir already, or delivered by the next run.
    const next = await site.start()
    expect(await site.arrived('ann@example.org', 'first half of the late message')).toContain('second half')
    expect(site.messages('ann@example.org').filter(m => m.includes('late message'))).toHaveLength(1)
    expect(await next.stop()).toBe(0)
  })

  test('gives its leases back when it stops, so that the next run has nothing to recover', async () => {
    const running = await site.start()
    expect(await running.stop()).toBe(0)
    const next = await site.start()
    expect(await next.stop()).toBe(0)
    expect(next.output()).not.toContain('queue.recovered')
  })

  test('is refused on a state directory that another one uses, and says which', async () => {
    const running = await site.start()
    const second = await site.posthorn('start', '--json')
    expect(second.code).toBe(1)
    expect(second.stdout).toBe('')
    expect(second.stderr).toBe(
      `posthorn: the queue in ${join(site.state, 'queue')} is in use by process ${running.pid}\n`,
    )
    expect(await running.stop()).toBe(0)
  })
})

test('started by root it works, and says on standard error that it needs no root', async ({ skip }) => {
  skip(process.getuid?.() !== 0, 'only root is told')
  const state = mkdtempSync(join(tmpdir(), 'posthorn-root-'))
  const asRoot = { env: { POSTHORN_ALLOW_ROOT: '0' } }
  const running = await startPosthorn(['start', '--json', '--any-port', '--state', state], asRoot)
  expect(await running.stop()).toBe(0)
  expect(running.output()).toMatch(/^posthorn: this runs as root, .*\n/m)
  rmSync(state, { recursive: true, force: true })
})

describe('a port that is in use', () => {
  test('ends the start with its name, and what listened already is closed', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'posthorn-ports-'))
    const taken = await makeSite()
    const running = await taken.start()
    const mx = await freePort()
    const config = join(dir, 'posthorn.config.ts')
    writeFileSync(
      config,
      `export default { hostname: 'mx.example.org', listeners: { mx: { host: '127.0.0.1', port: ${mx} },
        submission: { host: '127.0.0.1', port: ${running.ports['mx']} }, submissions: false } }`,
    )
    const ran = await run(command, ['start', '--json', '--config', config, '--state', join(dir, 'var')])
    expect(ran.code).toBe(1)
    expect(ran.stderr).toMatch(/^posthorn: the service submission: .*EADDRINUSE.*\n$/)
    expect(ran.stdout).not.toContain('"ready"')
    expect(await isFree(mx)).toBe(true)
    // The lock is free again as well.
    const again = await run(command, ['queue', 'count', '--state', join(dir, 'var')])
    expect([again.code, again.stdout]).toEqual([0, '0\n'])
    expect(await running.stop()).toBe(0)
    taken.remove()
    rmSync(dir, { recursive: true, force: true })
  })
})

describe('each example app', () => {
  const apps = {
    'submission-relay': { args: ['--smarthost', '127.0.0.1:1', '--port', '0', '--tls-port', '0'], state: '--state' },
    'inbound-edge': { args: ['--domain', 'example.org', '--lmtp', '127.0.0.1:1', '--port', '0'], state: '--state' },
    'lmtp-maildrop': { args: ['--domain', 'example.org', '--mailbox', 'ann', '--port', '0'], state: '--root' },
  }
  const main = (app: string): string => join(root, 'apps', app, 'src/main.ts')
  for (const [app, { args, state }] of Object.entries(apps)) {
    test(`${app} says where it listens, and ends with 0 on SIGTERM`, async () => {
      const dir = mkdtempSync(join(tmpdir(), 'posthorn-app-'))
      const running = await startPosthorn([...args, state, join(dir, 'var')], { main: main(app) })
      const [port] = Object.values(running.ports)
      const t = await talk(port ?? 0)
      const ended = running.stop()
      expect(await t.reply()).toMatch(/^421 4\.3\.2 /)
      expect(await ended).toBe(0)
      rmSync(dir, { recursive: true, force: true })
    })
    test(`${app} without its arguments ends with what it needs`, async () => {
      const ran: Ran = await run(join(root, 'node_modules/node/bin/node'), ['-C', '@posthorn/source', main(app)])
      expect(ran.code).not.toBe(0)
      expect(ran.stderr).toMatch(/say --\w+/)
    })
  }
})
