import { beforeAll, expect, test } from 'vitest'
import { run } from '../peers/command.ts'
import { exim, startExim } from '../peers/exim.ts'
import { suite } from '../peers/needs.ts'
import { freePort } from '../peers/port.ts'
import { startPostfix, type Postfix } from '../peers/postfix.ts'
import type { Running } from '../peers/posthorn.ts'
import type { MailServer } from '../peers/mail-server.ts'
import { makeSite, type Site } from '../peers/site.ts'
import { sendMail, talk } from '../peers/talk.ts'
import { teardown } from '../peers/teardown.ts'

const ann = 'ann@example.org'
const bob = 'bob@example.org'
const content = (subject: string): string =>
  `From: dave@elsewhere.example\r\nTo: ${ann}\r\nSubject: ${subject}\r\n\r\nbody of ${subject}`

/** Events of a name, as the running server wrote them. */
const events = (running: Running, name: string): readonly Record<string, unknown>[] =>
  running
    .output()
    .split('\n')
    .filter(line => line.includes(`"event":"${name}"`))
    .map(line => JSON.parse(line) as Record<string, unknown>)

suite('servers and programs in front of us', ['postfix', 'swaks', exim], () => {
  let site: Site
  let running: Running
  let postfix: Postfix
  let server: MailServer
  const undo = teardown()
  beforeAll(async () => {
    site = await makeSite({
      users: [ann, bob],
      head: `import { definePlugin, pass } from '@posthorn/plugin'
import { reject } from '@posthorn/reply'
const notForBob = definePlugin({
  name: 'not-for-bob',
  setup: () => ({
    message: (_message, { accepted }) => ({
      each: new Map(accepted.map(r => [r, r.to.local === 'bob' ? reject(550, '5.7.1', 'Not for Bob') : pass])),
    }),
  }),
})`,
      body: `plugins: [notForBob], xclient: ['127.0.0.0/8'], xforward: ['127.0.0.0/8'],`,
    })
    undo(() => site.remove())
    running = await site.start()
    undo(() => running.stop())
    postfix = await startPostfix({
      port: await freePort(),
      files: { transport: `/@example\\.org$/ smtp:[127.0.0.1]:${running.port('mx')}\n` },
      main: {
        mynetworks: '127.0.0.0/8',
        relay_domains: 'example.org',
        transport_maps: 'regexp:DIR/etc/transport',
        smtp_send_xforward_command: 'yes',
      },
    })
    undo(() => postfix.stop())
    server = await startExim({
      port: await freePort(),
      hostname: 'mx.exim.test',
      domain: 'exim.test',
      mailboxes: ['dave'],
      relay: { domain: 'example.org', smtp: running.port('mx'), lmtp: running.port('lmtp') },
    })
    undo(() => server.stop())
  })

  test('swaks says by XCLIENT for whom it speaks, in two commands', async () => {
    const words = `--server 127.0.0.1 --port ${running.port('mx')} --from dave@elsewhere.example --to ${ann}
      --xclient-addr 203.0.113.9 --xclient-name client.elsewhere.example --xclient-delim
      --xclient-helo client.elsewhere.example --xclient-proto ESMTP`
    const sent = await run('swaks', [...words.split(/\s+/), '--body', 'body of xclient'])
    expect(sent).toMatchObject({ code: 0 })
    const stored = await site.arrived(ann, 'body of xclient')
    expect(stored).toMatch(/Received: from client\.elsewhere\.example \(\[203\.0\.113\.9\]\)\s+by mx\.example\.org/)
    expect(events(running, 'session.introduced').at(-1)).toMatchObject({ by: '203.0.113.9', ip: '203.0.113.9' })
  })
  test('Postfix says by XFORWARD where a message came from', async () => {
    const t = await talk(postfix.port)
    await t.say('EHLO client.elsewhere.example')
    expect(await sendMail(t, { to: [ann], content: content('xforward') })).toMatch(/^250 /)
    t.cut()
    await site.arrived(ann, 'body of xforward')
    expect(events(running, 'message.received').find(event => event['forwarded'] !== undefined)).toMatchObject({
      ip: '127.0.0.1',
      forwarded: { address: '127.0.0.1', helo: 'client.elsewhere.example', protocol: 'ESMTP' },
    })
  })
  test('Exim asks by PRDR, and hears of each recipient after the content', async () => {
    const t = await talk(server.port)
    await t.say('EHLO client.elsewhere.example')
    expect(await sendMail(t, { from: 'dave@exim.test', to: [ann, bob], content: content('prdr') })).toMatch(/^250 /)
    t.cut()
    await site.arrived(ann, 'body of prdr')
    await server.logged(/=> ann@example\.org .* PRDR .*C="250 2\.0\.0/)
    await server.logged(/\*\* bob@example\.org .* PRDR.*550 5\.7\.1 Not for Bob/)
    // The report is Exim's to write, and we write none.
    await server.delivered('dave', 'Not for Bob')
    expect(events(running, 'message.received').filter(event => event['about'] !== undefined)).toEqual([])
    expect(site.messages(bob)).toEqual([])
  })
})
