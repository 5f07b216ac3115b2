import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { until } from '../peers/command.ts'
import { startNextHop, type NextHop } from '../peers/next-hop.ts'
import { stopCleanly, type Running } from '../peers/posthorn.ts'
import { makeSite, type Site } from '../peers/site.ts'
import { sendMail, talk } from '../peers/talk.ts'

// Real processes, on machines that do other things as well.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 })

const letter = (subject: string): string => `From: ann@example.org\r\nSubject: ${subject}\r\n\r\ntext\r\n`

describe.each(['signed', 'verp'])('mail that leaves with %s return paths', reversePath => {
  let hop: NextHop
  let site: Site
  let running: Running
  beforeAll(async () => {
    hop = await startNextHop({ dsn: true })
    site = await makeSite({
      body: `mailboxes: ['ann'], trusted: ['127.0.0.0/8'],
  bounces: { reversePath: '${reversePath}' },
  outbound: { smarthost: { host: '127.0.0.1', port: ${hop.port}, tls: 'never' } },`,
    })
    running = await site.start()
  })
  afterAll(async () => {
    await stopCleanly(running)
    await hop.stop()
    site.remove()
  })
  const send = async (from: string, to: string, subject: string): Promise<string> => {
    const t = await talk(running.port('mx'))
    await t.say('EHLO client.test')
    const reply = await sendMail(t, { from, to: [to], content: letter(subject) })
    t.cut()
    return reply
  }
  const left = async (subject: string): Promise<string> => {
    const mail = await until('the message at the next hop', () => hop.handed.find(m => m.subject === subject))
    return mail.transaction.sender?.wire ?? ''
  }

  test('takes bounces and replies to them, refuses what is forged, and knows them after a restart', async () => {
    expect(await send('ann@example.org', 'carl@far.test', 'out')).toMatch(/^250/)
    const tagged = await left('out')
    expect(tagged).toMatch(/^prvs=\d{4}[0-9a-f]{10}=.*ann@example\.org$/)

    expect(await send('', tagged, 'a bounce')).toMatch(/^250/)
    expect(await site.arrived('ann', 'Subject: a bounce')).toContain('Delivered-To: ann@example.org')
    expect(await send('carl@far.test', tagged.toUpperCase(), 'a reply')).toMatch(/^250/)
    await site.arrived('ann', 'Subject: a reply')
    expect(await send('', tagged.replace('=ann', '=bob'), 'forged')).toMatch(/^550 5\.7\.1/)
    expect(await send('carl@far.test', tagged.replace('=ann', '=bob'), 'forged')).toMatch(/^550 5\.1\.1/)

    const key = join(site.state, 'bounces.key')
    expect(statSync(key).mode & 0o777).toBe(0o600)
    const made = readFileSync(key, 'utf8')
    await stopCleanly(running)
    running = await site.start()
    expect(readFileSync(key, 'utf8')).toBe(made)
    expect(await send('', tagged, 'late')).toMatch(/^250/)
    await site.arrived('ann', 'Subject: late')
  })

  test('tells of a bounce what it is about, and brings it to the sender', async () => {
    await send('ann@example.org', 'carl@far.test', 'will bounce')
    const tagged = await left('will bounce')
    const bounce = [
      'Content-Type: multipart/report; report-type=delivery-status; boundary=b',
      'Subject: Undeliverable',
      '',
      '--b',
      'Content-Type: message/delivery-status',
      '',
      'Reporting-MTA: dns; mx.far.test',
      '',
      'Final-Recipient: rfc822; carl@far.test',
      'Action: failed',
      'Status: 5.2.2',
      'Diagnostic-Code: smtp; 552 5.2.2 mailbox full',
      '',
      '--b--',
    ].join('\r\n')
    const t = await talk(running.port('mx'))
    await t.say('EHLO client.test')
    expect(await sendMail(t, { from: '', to: [tagged], content: bounce })).toMatch(/^250/)
    t.cut()
    await site.arrived('ann', 'Subject: Undeliverable')
    const event = await until('the event', () =>
      running
        .output()
        .split('\n')
        .find(line => line.includes('"bounce.received"')),
    )
    expect('about' in (JSON.parse(event) as object)).toBe(reversePath === 'verp')
    expect(JSON.parse(event)).toMatchObject({
      by: 'tag',
      from: 'ann@example.org',
      rcpt: 'carl@far.test',
      class: 'quota-issues',
      rule: 'quota-text',
    })
  })

  test('leaves the return path of what stays, and of what only passes through, as it is', async () => {
    await send('ann@example.org', 'ann@example.org', 'stays')
    expect(await site.arrived('ann', 'Subject: stays')).toContain('Return-Path: <ann@example.org>')
    await send('dora@far.test', 'carl@far.test', 'passes')
    expect(await left('passes')).toBe('dora@far.test')
  })
})

test.each([
  [`reversePath: 'signd'`, 'bounces.reversePath'],
  [`domain: 'b.example.org'`, 'bounces.domain: is for tagged return paths'],
  [`reversePath: 'signed', lifetime: '2d'`, 'bounces.lifetime: is not longer than retry.expire'],
  [`reversePath: 'signed', lifetime: '2y'`, 'is not a duration'],
  [`reversePath: 'signed', secret: { env: 'NO_SUCH_KEY' }`, 'the environment has no NO_SUCH_KEY'],
  [`reversePath: 'signed', secret: { file: 'SHORT' }`, 'has a key of 5 characters; each line is a key of at least 16'],
])('bounces: { %s } is refused, and the error says why', async (bounces, why) => {
  const site = await makeSite()
  const file = join(site.dir, 'short')
  writeFileSync(file, 'a long and good key\nshort\n')
  writeFileSync(
    site.config,
    `export default { hostname: 'mx.example.org', bounces: { ${bounces.replace('SHORT', file)} } }`,
  )
  const ran = await site.posthorn('check')
  expect(ran.code).not.toBe(0)
  expect(ran.stderr).toContain(why)
  site.remove()
})
