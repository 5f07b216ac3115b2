import { afterEach, expect, test, vi } from 'vitest'
import { until } from '../peers/command.ts'
import type { Running } from '../peers/posthorn.ts'
import { makeSite, type Site } from '../peers/site.ts'
import { sendMail, talk } from '../peers/talk.ts'

// Real processes, on machines that do other things as well.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 90_000 })

const user = 'ann@example.org'
/** Never comes back from the attempt to deliver what comes from one sender; `when` may let it. */
const plugin = (when = 'true'): string => `import { existsSync, writeFileSync } from 'node:fs'
import { definePlugin, pass } from '@posthorn/plugin'
const isFirst = (name) => {
  const file = new URL(name, import.meta.url)
  return !existsSync(file) && (writeFileSync(file, ''), true)
}
const spin = definePlugin({ name: 'spin', setup: () => ({ attempt: function hangsHere(route, { sender }) {
  // Waits at first, so that the client has its 250.
  if (sender?.local === 'poison' && isFirst('waited')) return { wait: 500, why: 'not yet' }
  while (sender?.local === 'poison' && ${when});
  return pass
} }) })`

let site: Site | undefined
let last: Running | undefined
// What a failed test leaves must not keep the next from its ports and processors.
afterEach(() => {
  try {
    if (last !== undefined) process.kill(last.pid, 'SIGKILL')
  } catch {
    // It has ended, as it should.
  }
  last = undefined
  site?.remove()
})

const send = async (running: Running, from: string, marker: string): Promise<void> => {
  const t = await talk(running.port('mx'))
  await t.say('EHLO client.example')
  const content = `Subject: ${marker}\r\n\r\nend-of-${marker}`
  expect(await sendMail(t, { from: `${from}@elsewhere.example`, to: [user], content })).toMatch(/^250 /)
  t.cut()
}
interface Told {
  readonly event: string
  readonly [field: string]: unknown
}
const eventsOf = (running: Running): readonly Told[] =>
  running
    .output()
    .trim()
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line) as Told)
const told = (running: Running, event: string): Told | undefined => eventsOf(running).find(e => e.event === event)

interface Row {
  readonly rcpt: string
  readonly state: string
  readonly why?: string
}
const queueOf = async (from: Site): Promise<readonly Row[]> => {
  const listed = await from.posthorn('queue', 'list', '--json')
  expect([listed.code, listed.stderr]).toEqual([0, ''])
  return listed.stdout
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Row)
}

test('with workers, a message that hangs each worker that tries it ends on hold, and all other mail goes on', async () => {
  site = await makeSite({
    users: [user],
    head: plugin(),
    body: `workers: 2, plugins: [spin], timeouts: { worker: '2s' },`,
  })
  const running = (last = await site.start())
  await send(running, 'poison', 'poison')
  let sent = 0
  const markers: string[] = []
  const row = await until(
    'the message on hold',
    async () => {
      const marker = `innocent-${sent++}`
      // A session of a worker that is killed under it is sent again by its client.
      await send(running, 'friend', marker).then(
        () => markers.push(marker),
        () => undefined,
      )
      // It would be put off for a while.
      await site?.posthorn('queue', 'retry', 'sender~poison')
      return (site && (await queueOf(site)))?.find(r => r.state === 'held')
    },
    120_000,
  )
  expect(row.why).toMatch(/the process that had it in hand hung or died 8 times, at last with no other suspect/)
  for (const marker of markers) await site.arrived(user, `end-of-${marker}`, 60_000)
  const here = site
  await until('an otherwise empty queue', async () => (await queueOf(here)).length === 1 || undefined)
  expect(await queueOf(site)).toEqual([row])
  const events = eventsOf(running)
  expect(events.filter(e => e.event === 'worker.hung').length).toBeGreaterThanOrEqual(8)
  expect(events.filter(e => e.event === 'delivery.interrupted').length).toBeGreaterThanOrEqual(3)
  expect(events.find(e => e.event === 'delivery.held')).toMatchObject({ level: 'warn', by: 'recovery', rcpt: user })
  // Kept for whoever mends the plugin.
  expect((await site.posthorn('queue', 'show', (row as unknown as { id: string }).id)).stdout).toContain('poison')
  expect(await running.stop()).toBe(0)
})

test('a single process that a plugin holds up says where and ends with 70, and its next run delivers', async () => {
  site = await makeSite({
    users: [user],
    head: plugin(`isFirst('spun')) for (;;`),
    body: `plugins: [spin], timeouts: { worker: '2s' },`,
  })
  const running = (last = await site.start())
  await send(running, 'poison', 'held-up')
  expect(await running.ended).toBe(70)
  const hung = told(running, 'service.hung')
  expect(hung).toMatchObject({ level: 'error', silentMs: 2000, code: 70 })
  expect(hung?.['where']).toMatch(/^hangsHere \/.*posthorn\.config\.ts:\d+, /)
  const next = (last = await site.start())
  await site.arrived(user, 'end-of-held-up', 60_000)
  expect(await next.stop()).toBe(0)
  expect(told(next, 'service.hung')).toBeUndefined()
})

test('a single process that hangs outside of JavaScript is killed, after it has said so', async () => {
  site = await makeSite({
    users: [user],
    head: `import { execSync } from 'node:child_process'
import { definePlugin, pass } from '@posthorn/plugin'
const sleeps = definePlugin({ name: 'sleeps', setup: () => ({ ehlo: () => (execSync('sleep 60'), pass) }) })`,
    body: `plugins: [sleeps], timeouts: { worker: '2s' },`,
  })
  const running = (last = await site.start())
  const t = await talk(running.port('mx'))
  const reply = t.say('EHLO client.example').catch(() => 'closed')
  // By a signal, so that there is no exit code.
  expect(await running.ended).toBeNull()
  expect(await reply).not.toMatch(/^250/)
  expect(told(running, 'service.hung')).toMatchObject({ level: 'error', silentMs: 2000, signal: 'SIGKILL' })
})

test('a single process that is started again after each hang has the message that hangs it on hold at last', async () => {
  site = await makeSite({ users: [user], head: plugin(), body: `plugins: [spin], timeouts: { worker: '2s' },` })
  for (let run = 0; run < 8; run++) {
    const running = (last = await site.start())
    if (run === 0) await send(running, 'poison', 'poison')
    // It would be put off for a while; the server may hang before it is asked.
    const retry = async (): Promise<undefined> => void (await site?.posthorn('queue', 'retry', '--all'))
    let code: number | null | undefined
    while (code === undefined) code = await Promise.race([running.ended, retry()])
    expect(code).toBe(70)
  }
  const running = (last = await site.start())
  await send(running, 'friend', 'innocent')
  await site.arrived(user, 'end-of-innocent', 60_000)
  expect(await queueOf(site)).toMatchObject([{ state: 'held', rcpt: user, why: expect.stringContaining('8 times') }])
  expect(await running.stop()).toBe(0)
})
