import { existsSync, renameSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { stopCleanly, type Running } from '../peers/posthorn.ts'
import { makeSite, type Site } from '../peers/site.ts'
import { sendMail, talk } from '../peers/talk.ts'

// Real processes, on machines that do other things as well.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 })

// Nothing listens on port 1: what goes elsewhere stays in the queue.
const body = `trusted: ['127.0.0.0/8'], outbound: { smarthost: { host: '127.0.0.1', port: 1 } },`
let site: Site
let running: Running
beforeAll(async () => {
  site = await makeSite({ body })
  running = await site.start()
})
afterAll(async () => {
  await stopCleanly(running)
  site.remove()
})

const large = 'a long line of text, as they are\r\n'.repeat(4000)
/** Sends one message after another, each third a large one, until told to stop; says which were answered 250. */
const send = async (
  port: number,
  label: string,
  traffic: { readonly on: boolean },
  accepted: string[],
): Promise<void> => {
  const t = await talk(port)
  await t.say('EHLO client.example')
  for (let i = 0; traffic.on; i++) {
    const content = `Subject: ${label}${i}\r\n\r\n${i % 3 === 0 ? large : 'short\r\n'}the end`
    const reply = await sendMail(t, { to: [`${label}${i}@elsewhere.example`], content })
    if (reply.startsWith('250')) accepted.push(`${label}${i}@elsewhere.example`)
  }
  t.cut()
}
const json = (ran: { readonly stdout: string }): readonly Record<string, unknown>[] =>
  ran.stdout
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Record<string, unknown>)

test('row 50: a backup of a server under load is restored elsewhere with all that had been accepted before it, and none that is torn', async () => {
  const traffic = { on: true }
  const accepted: string[] = []
  const sending = Promise.all(['a', 'b', 'c'].map(label => send(running.port('mx'), label, traffic, accepted)))
  await vi.waitFor(() => expect(accepted.length).toBeGreaterThan(60), { timeout: 30_000 })
  const before = [...accepted]
  const saved = join(site.dir, 'saved')
  const made = await site.posthorn('queue', 'backup', saved, '--json')
  traffic.on = false
  await sending
  expect([made.code, made.stderr]).toEqual([0, ''])
  const [summary] = json(made)
  expect(summary).toMatchObject({ backup: saved })
  expect(Number(summary?.['messages'])).toBeGreaterThanOrEqual(before.length)
  expect(readdirSync(site.dir).filter(name => name.includes('unfinished'))).toEqual([])

  // A backup can be looked at any time; put in place beside a server it can't.
  const looked = await site.posthorn('queue', 'restore', saved, '--dry-run')
  expect([looked.code, looked.stdout]).toEqual([0, expect.stringContaining('the backup is whole')])
  renameSync(join(site.state, 'queue'), join(site.state, 'moved'))
  const refused = await site.posthorn('queue', 'restore', saved)
  expect([refused.code, refused.stderr]).toEqual([
    1,
    `posthorn: a server runs on ${site.state}, process ${running.pid}: stop it first\n`,
  ])
  renameSync(join(site.state, 'moved'), join(site.state, 'queue'))

  const elsewhere = await makeSite({ body })
  try {
    const dry = await elsewhere.posthorn('queue', 'restore', saved, '--dry-run')
    expect([dry.code, dry.stdout]).toEqual([0, expect.stringContaining('the backup is whole; would restore')])
    expect(existsSync(join(elsewhere.state, 'queue'))).toBe(false)
    const restored = await elsewhere.posthorn('queue', 'restore', saved)
    expect([restored.code, restored.stderr]).toEqual([0, ''])
    expect(restored.stdout).toContain('what has left since then will be sent again')
    const second = await elsewhere.start()
    const listed = json(await elsewhere.posthorn('queue', 'list', '--limit', '100000', '--json'))
    expect(listed.map(row => row['rcpt'])).toEqual(expect.arrayContaining(before))
    const exported = join(elsewhere.dir, 'exported')
    expect((await elsewhere.posthorn('queue', 'export', exported, '--all')).code).toBe(0)
    const sizes = readdirSync(exported).filter(name => name.endsWith('.eml'))
    expect(sizes.length).toBe(summary?.['messages'])
    for (const name of sizes) {
      const row = listed.find(r => `${String(r['id'])}.eml` === name)
      expect([name, statSync(join(exported, name)).size]).toEqual([name, row?.['size']])
    }
    const live = await elsewhere.posthorn('queue', 'restore', saved)
    expect([live.code, live.stderr]).toEqual([1, expect.stringContaining(`in use by process ${second.pid}`)])
    const compacted = await elsewhere.posthorn('queue', 'compact')
    expect([compacted.code, compacted.stderr]).toEqual([1, expect.stringContaining(`in use by process ${second.pid}`)])
    await stopCleanly(second)
    const full = await elsewhere.posthorn('queue', 'restore', saved)
    expect([full.code, full.stderr]).toEqual([1, expect.stringMatching(/\d+ deliveries wait in the queue/)])
    expect(json(await elsewhere.posthorn('queue', 'compact', '--json'))).toMatchObject([
      { before: expect.any(Number), after: expect.any(Number), freed: expect.any(Number) },
    ])
  } finally {
    elsewhere.remove()
  }
})

test('a backup says in words why it cannot be made or restored', async () => {
  const cases: readonly (readonly [args: readonly string[], says: string])[] = [
    [['backup', site.dir], 'is there already'],
    [['backup', '/nowhere/at/all'], 'there is no directory /nowhere/at'],
    [['restore', site.dir], 'no finished backup'],
    [['compact'], 'in use by process'],
  ]
  for (const [args, says] of cases) {
    const ran = await site.posthorn('queue', ...args)
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining(says)])
    expect(ran.stderr).not.toMatch(/\n\s+at /)
  }
})
