import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { until } from '../peers/command.ts'
import { stopCleanly, type Running } from '../peers/posthorn.ts'
import { makeSite, type Site } from '../peers/site.ts'
import { talk, type Talk } from '../peers/talk.ts'

// Real processes, on machines that do other things as well.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 })

let site: Site
let running: Running
beforeAll(async () => {
  site = await makeSite({
    body: `mailboxes: ['ann', 'bob'],
      aliases: { away: 'carl@other.example', both: ['ann', 'carl@other.example'], team: ['ann', 'bob'] },
      outbound: { smarthost: { host: '127.0.0.1', port: 1 } },`,
  })
  running = await site.start()
})
afterAll(async () => {
  await stopCleanly(running)
  site.remove()
})

const open = async (): Promise<Talk> => {
  const t = await talk(running.port('lmtp'))
  expect(await t.say('LHLO client.example')).toMatch(/^250-/)
  expect(await t.say('MAIL FROM:<sender@elsewhere.example>')).toMatch(/^250 /)
  return t
}
/** One reply for each accepted recipient (RFC 2033 §4.2). */
const deliver = async (t: Talk, subject: string, recipients: number): Promise<readonly string[]> => {
  expect(await t.say('DATA')).toMatch(/^354 /)
  await t.write(`Subject: ${subject}\r\n\r\ntext\r\n.\r\n`)
  const replies: string[] = []
  for (let i = 0; i < recipients; i++) replies.push(await t.reply())
  expect(await t.say('NOOP'), 'no reply too many').toMatch(/^250 2\.0\.0 /)
  t.cut()
  return replies
}
const copies = (mailbox: string, subject: string): readonly string[] =>
  site.messages(mailbox).filter(m => m.includes(`Subject: ${subject}\r\n`))
const queued = async (): Promise<readonly string[]> =>
  (await site.posthorn('queue', 'list', '--json')).stdout
    .split('\n')
    .filter(line => line !== '')
    .map(line => (JSON.parse(line) as { rcpt: string }).rcpt)

test('each accepted recipient has a reply of its own, and 250 means that it is in the Maildir', async () => {
  const t = await open()
  expect(await t.say('RCPT TO:<ann@example.org>')).toMatch(/^250 /)
  expect(await t.say('RCPT TO:<stranger@example.org>')).toMatch(/^550 5\.1\.1 /)
  expect(await t.say('RCPT TO:<bob+detail@example.org>')).toMatch(/^250 /)
  expect(await deliver(t, 'two of three', 2)).toEqual([
    expect.stringMatching(/^250 2\./),
    expect.stringMatching(/^250 2\./),
  ])
  expect([copies('ann', 'two of three').length, copies('bob', 'two of three').length]).toEqual([1, 1])
})

test('a recipient named twice is answered twice and has one copy', async () => {
  const t = await open()
  for (const rcpt of ['ann@example.org', 'ann@EXAMPLE.ORG', 'ann@example.org'])
    expect(await t.say(`RCPT TO:<${rcpt}>`)).toMatch(/^250 /)
  expect(await deliver(t, 'named thrice', 3)).toHaveLength(3)
  expect(copies('ann', 'named thrice')).toHaveLength(1)
})

test('an unknown recipient alone leaves nothing to send to', async () => {
  const t = await open()
  expect(await t.say('RCPT TO:<stranger@example.org>')).toMatch(/^550 5\.1\.1 /)
  expect(await t.say('DATA')).toMatch(/^5\d\d 5\.5\.1 /)
  t.cut()
})

test('an alias of several mailboxes is one recipient with one reply', async () => {
  const t = await open()
  expect(await t.say('RCPT TO:<team@example.org>')).toMatch(/^250 /)
  expect(await deliver(t, 'for the team', 1)).toEqual([expect.stringMatching(/^250 /)])
  expect([copies('ann', 'for the team').length, copies('bob', 'for the team').length]).toEqual([1, 1])
})

test('an alias that leads elsewhere is queued, and the client does not wait for that elsewhere', async () => {
  const t = await open()
  expect(await t.say('RCPT TO:<away@example.org>')).toMatch(/^250 /)
  expect(await t.say('RCPT TO:<both@example.org>')).toMatch(/^250 /)
  const began = performance.now()
  expect(await deliver(t, 'elsewhere', 2)).toEqual([expect.stringMatching(/^250 /), expect.stringMatching(/^250 /)])
  expect(performance.now() - began).toBeLessThan(5_000)
  expect(copies('ann', 'elsewhere')).toHaveLength(1)
  const rcpts = await until('the queue', async () => {
    const now = await queued()
    return now.length > 0 ? now : undefined
  })
  expect(new Set(rcpts)).toEqual(new Set(['carl@other.example']))
})
