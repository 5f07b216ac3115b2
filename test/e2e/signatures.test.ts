import { createHash, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startPosthorn, stopCleanly, type Running } from '../peers/posthorn.ts'
import { makeSite, type Site } from '../peers/site.ts'
import { sendMail, talk } from '../peers/talk.ts'

// Real processes, on machines that do other things as well.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 })

const bob = 'bob@example.net'
const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
const fields = [
  `From: Ann  <ann@sender.test>`,
  `To: ${bob}`,
  'subject :  every  space   counts',
  'X-Tab:\tx \r\n\tfolded',
]
const body = ['.dot', '..', '', ' \t', 'trailing space ', 'x'.repeat(998), 'grüß', 'last', ''].join('\r\n')

/** RFC 6376 §3.4.1, §3.4.3: with `simple` every octet of the signed fields and of the body counts. */
const signed = (signature: string): string => [...fields, signature].join('\r\n')
const signature = (more: string): string => {
  const bh = createHash('sha256').update(body).digest('base64')
  const tags = `v=1; a=rsa-sha256; c=simple/simple; d=sender.test; s=one;${more}`
  const without = `DKIM-Signature: ${tags}\r\n\th=From:To:Subject:X-Tab; bh=${bh};\r\n\tb=`
  return without + sign('sha256', Buffer.from(signed(without)), keys.privateKey).toString('base64')
}
const holds = (stored: string, of: string, key: KeyObject): boolean => {
  const [head = '', ...rest] = stored.split('\r\n\r\n')
  const arrived = rest.join('\r\n\r\n')
  const kept = head.includes(`${of}\r\n${fields.join('\r\n')}`) && arrived === body
  const at = of.lastIndexOf('b=') + 2
  return kept && verify('sha256', Buffer.from(signed(of.slice(0, at))), key, Buffer.from(of.slice(at), 'base64'))
}

let here: Site
let there: Site
let near: Running
let far: Running
const start = (site: Site): Promise<Running> =>
  startPosthorn(['start', '--json', '--config', site.config, '--state', site.state])
beforeAll(async () => {
  there = await makeSite({ body: `hostname: 'mx.example.net', domains: ['example.net'], mailboxes: ['bob'],` })
  far = await start(there)
  here = await makeSite({
    body: `trusted: ['127.0.0.0/8'], outbound: { smarthost: { host: '127.0.0.1', port: ${far.port('mx')} } },`,
  })
  near = await start(here)
})
afterAll(async () => {
  await stopCleanly(near)
  await stopCleanly(far)
  here.remove()
  there.remove()
})
/** By the first server, through the second, into a Maildir there. */
const relay = async (content: string): Promise<string> => {
  const t = await talk(near.port('mx'))
  await t.say('EHLO client.test')
  const reply = await sendMail(t, { to: [bob], content: content.replaceAll(/^\./gm, '..').replace(/\r\n$/, '') })
  t.cut()
  return reply
}

/** What costs a verifier much, or is no signature at all; nobody verifies here, and so it costs nobody anything. */
const others: Readonly<Record<string, readonly string[]>> = {
  'none besides': [],
  'l=': ['DKIM-Signature: v=1; a=rsa-sha256; d=evil.test; s=x; h=From; l=0; bh=; b='],
  'an h= of ten thousand fields': [
    `DKIM-Signature: v=1; d=evil.test; s=x;\r\n\th=${Array.from({ length: 200 }, () => 'From:'.repeat(50)).join('\r\n\t')}; b=`,
  ],
  'tags that come twice': ['DKIM-Signature: v=1; v=2; d=a.test; d=b.test; s=x; s=y; b=; b='],
  'a selector of ten kilobytes': [
    `DKIM-Signature: v=1; d=evil.test;\r\n\ts=${'x'.repeat(900)}${'\r\n\tx'.repeat(3000)}; b=`,
  ],
  'fifty ARC sets': Array.from({ length: 50 }, (_, i) =>
    ['Authentication-Results', 'Message-Signature', 'Seal'].map(name => `ARC-${name}: i=${i + 1}; cv=none; b=`),
  ).flat(),
}

test.each(Object.keys(others))(
  'row 41: a signature survives the relay, and so does what stands beside it: %s',
  async name => {
    const ours = signature(` x=${name.length};`)
    const more = (others[name] ?? []).map(field => `${field}\r\n`).join('')
    expect(await relay(`${more}${ours}\r\n${fields.join('\r\n')}\r\n\r\n${body}`)).toMatch(/^250 2\.0\.0 /)
    const stored = await there.arrived('bob', ours)
    expect(stored).toContain(`\r\n${more}${ours}\r\n`)
    expect(holds(stored, ours, keys.publicKey)).toBe(true)
    // The test itself: one octet more, and it does not.
    expect(holds(stored.replace('last', 'last '), ours, keys.publicKey)).toBe(false)
  },
)

test('row 41: a selector with a NUL is no message in lines, and is refused', async () => {
  const nul = 'DKIM-Signature: v=1; d=evil.test; s=a\0b; b='
  expect(await relay(`${nul}\r\n${fields.join('\r\n')}\r\n\r\n${body}`)).toMatch(/^554 5\.6\.0 /)
})
