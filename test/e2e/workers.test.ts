import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { run, until } from '../peers/command.ts'
import type { Running } from '../peers/posthorn.ts'
import { command, makeSite, type Site } from '../peers/site.ts'
import { sendMail, talk, type Talk } from '../peers/talk.ts'

// Real processes, on machines that do other things as well.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 })

const user = 'ann@example.org'
let site: Site
beforeAll(async () => {
  site = await makeSite({ users: [user], body: 'workers: 2, limits: { connectionsPerAddress: 200 },' })
})
afterAll(() => site.remove())

let last: Running | undefined
const start = async (): Promise<Running> => (last = await site.start())
// What a failed test leaves must not keep the next from the state directory.
afterEach(() => {
  try {
    if (last !== undefined) process.kill(last.pid, 'SIGKILL')
  } catch {
    // It has ended, as it should.
  }
})

interface Event {
  readonly event: string
  readonly worker?: number
  readonly pid?: number
  readonly [field: string]: unknown
}
/** The log; throws when a line of it is not whole. */
const eventsOf = (running: Running): readonly Event[] =>
  running
    .output()
    .trim()
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Event)
const startedWorkers = (running: Running): readonly number[] =>
  eventsOf(running).flatMap(({ event, pid }) => (event === 'worker.started' && pid !== undefined ? [pid] : []))
const workersOf = (running: Running): Promise<readonly number[]> =>
  until('two workers', () => {
    const pids = startedWorkers(running)
    return pids.length >= 2 ? pids : undefined
  })
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
const gone = (pids: readonly number[]): Promise<true> =>
  until('the end of the workers', () => !pids.some(isAlive) || undefined)
const greeted = async (port: number): Promise<Talk> => {
  const t = await talk(port)
  await t.say('EHLO client.example')
  return t
}
const mail = (marker: string, size = 600) => ({
  to: [user],
  content: `Subject: ${marker}\r\n\r\n${`${marker} `.repeat(size / 10).replaceAll(/(.{1,900}) /g, '$1\r\n')}\r\nend-of-${marker}`,
})
const markersOf = (): ReadonlySet<string> =>
  new Set(site.messages(user).flatMap(m => /end-of-(\S+)/.exec(m)?.slice(1, 2) ?? []))
const allArrived = (markers: readonly string[]): Promise<true> =>
  until(
    'every promised message',
    () => {
      const arrived = markersOf()
      return markers.every(marker => arrived.has(marker)) || undefined
    },
    30_000,
  )

test('two workers take mail through each door, log whole lines with their number, and end in good order', async () => {
  const running = await start()
  const pids = await workersOf(running)
  expect(Object.keys(running.ports)).toEqual(['mx', 'submission', 'submissions', 'lmtp'])
  const markers: string[] = []
  for (let i = 0; i < 12; i++) {
    const t = await greeted(running.port('mx'))
    expect(await sendMail(t, mail(`mx${i}`, i % 4 === 3 ? 150_000 : 600))).toMatch(/^250 /)
    markers.push(`mx${i}`)
    t.cut()
  }
  for (const [name, port, tls] of [
    ['submission', running.port('submission'), 'starttls'],
    ['submissions', running.port('submissions'), 'implicit'],
  ] as const) {
    const how = ['--user', user, '--ca', site.certificate, '--server', `localhost:${port}`]
    if (tls === 'implicit') how.push('--implicit-tls')
    const sent = await site.posthorn('send', '--to', user, '--subject', name, '--text', `end-of-${name}`, ...how)
    expect(sent.stderr).toBe('')
    markers.push(name)
  }
  const lmtp = await talk(running.port('lmtp'))
  await lmtp.say('LHLO client.example')
  expect(await sendMail(lmtp, mail('lmtp'))).toMatch(/^250 /)
  lmtp.cut()
  await allArrived([...markers, 'lmtp'])
  await site.drained()

  const idle = await greeted(running.port('mx'))
  const ended = running.stop()
  expect(await idle.reply()).toMatch(/^421 4\.3\.2 /)
  expect(await ended).toBe(0)
  await gone(pids)
  const received = eventsOf(running).filter(e => e.event === 'message.received')
  expect(received.length).toBeGreaterThanOrEqual(14)
  expect(new Set(received.map(e => e.worker))).toEqual(new Set([1, 2]))
  // Given back, so that the next run has nothing to recover; nothing but the log is left of the sockets.
  const next = await start()
  expect(await next.stop()).toBe(0)
  expect(next.output()).not.toContain('queue.recovered')
  expect(readdirSync(site.state).filter(name => name.endsWith('.sock'))).toEqual([])
})

/** Send message after message, on one connection after another, until told to stop. */
const keepSending = async (
  port: number,
  o: { readonly name: string; readonly promised: string[]; readonly isOver: () => boolean },
): Promise<void> => {
  for (let i = 0; !o.isOver();) {
    try {
      const t = await greeted(port)
      for (; !o.isOver(); i++) {
        const marker = `${o.name}-${i}`
        const reply = await sendMail(t, mail(marker, i % 7 === 6 ? 100_000 : 800))
        if (reply.startsWith('250 ')) o.promised.push(marker)
      }
      t.cut()
    } catch {
      // Its worker was killed, or the owner: the message may be there or not.
      i++
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
}

test('a worker that is killed under load loses nothing and stops nobody else, and another takes its place', async () => {
  const running = await start()
  const [victim = 0] = await workersOf(running)
  const sessions = await Promise.all(Array.from({ length: 16 }, () => greeted(running.port('mx'))))
  const promised: string[] = []
  let over = false
  const load = [0, 1, 2, 3].map(n => keepSending(running.port('mx'), { name: `w${n}`, promised, isOver: () => over }))
  await until('some mail', () => promised.length > 40 || undefined)
  process.kill(victim, 'SIGKILL')
  const answers = await Promise.all(
    sessions.map((t, i) =>
      sendMail(t, mail(`held${i}`)).then(
        reply => [`held${i}`, reply] as const,
        () => undefined,
      ),
    ),
  )
  const served = answers.filter(answer => answer !== undefined)
  // Those of the other worker go on as if nothing had been.
  expect(served.length).toBeGreaterThan(0)
  expect(served.map(([, reply]) => reply.slice(0, 4))).toEqual(served.map(() => '250 '))
  const before = promised.length
  await until(
    'another worker',
    () => eventsOf(running).filter(e => e.event === 'worker.started').length > 2 || undefined,
  )
  await until('more mail', () => promised.length > before + 40 || undefined)
  over = true
  await Promise.all(load)
  await allArrived([...promised, ...served.map(([marker]) => marker)])
  expect(eventsOf(running)).toContainEqual(
    expect.objectContaining({ event: 'worker.ended', level: 'error', pid: victim, signal: 'SIGKILL' }),
  )
  expect(await running.stop()).toBe(0)
})

test('a worker whose event loop is held up by a plugin is killed and replaced, and what it had in its hands is delivered', async () => {
  const stalled = await makeSite({
    users: [user],
    // Waits at first, so that the client has its 250; then once never comes back.
    head: `import { existsSync, writeFileSync } from 'node:fs'
import { definePlugin, pass } from '@posthorn/plugin'
const isFirst = (name) => {
  const file = new URL(name, import.meta.url)
  return !existsSync(file) && (writeFileSync(file, ''), true)
}
const stall = definePlugin({ name: 'stall', setup: () => ({ attempt: () => {
  if (isFirst('waited')) return { wait: 500, why: 'not yet' }
  while (isFirst('stalled')) for (;;);
  return pass
} }) })`,
    body: `workers: 2, plugins: [stall], timeouts: { worker: '3s' },`,
  })
  try {
    const running = (last = await stalled.start())
    await workersOf(running)
    const t = await greeted(running.port('mx'))
    expect(await sendMail(t, mail('held-up'))).toMatch(/^250 /)
    const hung = await until('a worker that hangs', () => eventsOf(running).find(e => e.event === 'worker.hung'))
    expect(hung).toMatchObject({ level: 'error', silentMs: 3000, pid: expect.any(Number) })
    await stalled.arrived(user, 'end-of-held-up')
    await until('another worker', () => startedWorkers(running).length > 2 || undefined)
    expect(eventsOf(running)).toContainEqual(
      expect.objectContaining({ event: 'worker.ended', level: 'error', pid: hung.pid, signal: 'SIGKILL' }),
    )
    expect(await running.stop()).toBe(0)
  } finally {
    stalled.remove()
  }
})

test('when the owner of the queue is killed its workers end by themselves, and the next run delivers what was promised', async () => {
  const running = await start()
  const pids = await workersOf(running)
  const promised: string[] = []
  let over = false
  const load = [0, 1, 2, 3].map(n => keepSending(running.port('mx'), { name: `o${n}`, promised, isOver: () => over }))
  await until('some mail', () => promised.length > 40 || undefined)
  await running.kill()
  over = true
  await gone(pids)
  await Promise.all(load)
  const next = await start()
  await allArrived(promised)
  expect(await next.stop()).toBe(0)
})

test('who tells one worker to end gets another in its place, and sessions end with 421', async () => {
  const running = await start()
  const [first = 0] = await workersOf(running)
  const sessions = await Promise.all(Array.from({ length: 16 }, () => greeted(running.port('mx'))))
  process.kill(first, 'SIGTERM')
  await gone([first])
  await until('another worker', () => startedWorkers(running).length > 2 || undefined)
  const replies = await Promise.all(sessions.map(t => t.say('NOOP').catch(() => 'closed')))
  expect(new Set(replies.map(reply => reply.slice(0, 3)))).toEqual(new Set(['250', '421']))
  expect(await running.stop()).toBe(0)
})

test('a user who is added while it runs gets mail through all workers', async () => {
  const running = await start()
  expect((await site.posthorn('user', 'add', 'eve@example.org')).code).toBe(0)
  await until('eight workers in a row that know her', async () => {
    for (let i = 0; i < 8; i++) {
      const t = await greeted(running.port('mx'))
      await t.say('MAIL FROM:<a@elsewhere.example>')
      const reply = await t.say('RCPT TO:<eve@example.org>')
      t.cut()
      if (!reply.startsWith('250 ')) return undefined
    }
    return true
  })
  expect(await running.stop()).toBe(0)
})

test('a worker that cannot start ends the start of the whole, with its reason', async () => {
  const broken = await makeSite({
    head: `import { definePlugin } from '@posthorn/plugin'
const broken = definePlugin({ name: 'broken', setup: () => { throw new Error('there is no such list') } })`,
    body: 'workers: 2, plugins: [broken],',
  })
  const ran = await broken.posthorn('start', '--json')
  expect([ran.code, ran.stderr]).toEqual([1, 'posthorn: plugin broken: setup failed: there is no such list\n'])
  expect(ran.stdout).not.toContain('"ready"')
  // The lock is free again as well.
  expect((await broken.posthorn('queue', 'count')).stdout).toBe('0\n')
  broken.remove()
})

test('a port that another server has is refused by name, although ports can be shared', async () => {
  const running = await start()
  const other = await makeSite({
    body: `workers: 2, listeners: { mx: { host: '127.0.0.1', port: ${running.port('mx')} } },`,
  })
  const ran = await other.posthorn('start', '--json')
  expect(ran.stderr).toMatch(/^posthorn: the service mx: .*EADDRINUSE.*\n$/)
  expect([ran.code, ran.stdout.includes('"ready"')]).toEqual([1, false])
  other.remove()
  expect(await running.stop()).toBe(0)
})

test.each(['0', '65', 'two', '-1'])('--workers %s is refused with what is allowed', async count => {
  const ran = await run(command, ['start', '--workers', count])
  expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining('It must be a number from 1 to 64.')])
})

test('operators see and steer the queue of all workers as that of one process', async () => {
  const relay = await makeSite({
    body: `workers: 2, trusted: ['127.0.0.0/8'], outbound: { smarthost: { host: '127.0.0.1', port: 1, tls: 'never' } },
      retry: { first: '1h' },`,
  })
  try {
    last = await relay.start()
    for (let i = 0; i < 6; i++) {
      const t = await greeted(last.port('mx'))
      expect(await sendMail(t, { to: [`bob${i}@there.example`], content: `Subject: ${i}\r\n\r\nhello` })).toMatch(
        /^250 /,
      )
      t.cut()
    }
    const told = async (...args: readonly string[]): Promise<string> => {
      const ran = await relay.posthorn('queue', ...args)
      expect([ran.code, ran.stderr]).toEqual([0, ''])
      return ran.stdout.trim()
    }
    // The smarthost is one site, which one of the workers tries for both.
    await until('six deferrals', async () => {
      const listed = await told('list', '--json')
      return (
        listed.split('\n').filter(line => line.includes('ECONNREFUSED') || line.includes('refused')).length === 6 ||
        undefined
      )
    })
    expect(await told('count')).toBe('6')
    await told('suspend', '--site', 'smtp:127.0.0.1:1', '--why', 'moving')
    await told('retry', '--all')
    expect(await told('list', '--json')).toContain('moving')
    await told('resume', '--site', 'smtp:127.0.0.1:1')
    await told('backup', join(relay.dir, 'backup'))
    await told('drop', '--all')
    expect(await told('count')).toBe('0')
    expect(await last.stop()).toBe(0)
  } finally {
    relay.remove()
  }
})
