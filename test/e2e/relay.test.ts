import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { root, startPosthorn, stopCleanly, type Running } from '../peers/posthorn.ts'
import { talk } from '../peers/talk.ts'

// Real processes, on machines that do other things as well.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 })

/** A server that must relay for nobody who has not logged in. */
interface Door {
  readonly name: string
  readonly listener: 'mx' | 'lmtp' | 'submission' | 'submissions'
  /** The domain whose mail it takes, with a mailbox `me`. */
  readonly ours: string
  readonly app: string
  readonly args: (dir: string) => readonly string[]
}

const posthorn = (dir: string): readonly string[] => ['start', '--json', '--any-port', '--state', dir]
const port0 = `{ host: '127.0.0.1', port: 0 }`
const ofSite = `export default {
  hostname: 'mx.example.org', domains: ['example.org'], mailboxes: ['me'],
  listeners: { mx: ${port0}, submission: false, submissions: false, lmtp: ${port0} },
}`
const site = (dir: string): readonly string[] => {
  const config = join(dir, '../posthorn.config.ts')
  writeFileSync(config, ofSite)
  return ['start', '--json', '--state', dir, '--config', config]
}
const doors: readonly Door[] = [
  { name: 'development mode', listener: 'mx', ours: 'posthorn.test', app: 'posthorn', args: posthorn },
  { name: 'development mode', listener: 'lmtp', ours: 'posthorn.test', app: 'posthorn', args: posthorn },
  { name: 'a configured site', listener: 'mx', ours: 'example.org', app: 'posthorn', args: site },
  { name: 'a configured site', listener: 'lmtp', ours: 'example.org', app: 'posthorn', args: site },
  {
    name: 'the inbound edge that knows its recipients',
    listener: 'mx',
    ours: 'example.org',
    app: 'inbound-edge',
    args: dir => ['--domain', 'example.org', '--mailbox', 'me', '--lmtp', '127.0.0.1:1', '--port', '0', '--state', dir],
  },
  {
    name: 'the inbound edge that takes any recipient',
    listener: 'mx',
    ours: 'example.org',
    app: 'inbound-edge',
    args: dir => ['--domain', 'example.org', '--lmtp', '127.0.0.1:1', '--port', '0', '--state', dir],
  },
  {
    name: 'the LMTP maildrop',
    listener: 'lmtp',
    ours: 'example.org',
    app: 'lmtp-maildrop',
    args: dir => ['--domain', 'example.org', '--mailbox', 'me', '--port', '0', '--root', dir],
  },
  {
    name: 'the submission relay',
    listener: 'submission',
    ours: 'relay.localhost',
    app: 'submission-relay',
    args: dir => ['--smarthost', '127.0.0.1:1', '--port', '0', '--tls-port', '0', '--state', dir],
  },
]

/** Every way to say "take this to somebody elsewhere". */
const forms = (ours: string): readonly string[] => [
  'victim@other.example',
  'victim@OTHER.example.',
  'postmaster@other.example',
  `victim%other.example@${ours}`,
  `victim%other.example@[127.0.0.1]`,
  `me+victim%other.example@${ours}`,
  `victim%other.example%${ours}@${ours}`,
  `other.example!victim@${ours}`,
  `${ours}!other.example!victim@${ours}`,
  `"victim@other.example"@${ours}`,
  `"victim%other.example"@${ours}`,
  `"other.example!victim"@${ours}`,
  `@${ours}:victim@other.example`,
  `@${ours},@third.example:victim@other.example`,
  `@[127.0.0.1]:victim@other.example`,
  `victim@other.example@${ours}`,
  `victim@${ours}@other.example`,
  'victim%other.example',
  'other.example!victim',
  'victim@[127.0.0.1]',
  'victim@[IPv6:::1]',
  'victim@[IPv6:::ffff:127.0.0.1]',
  'victim@localhost',
  'victim@[192.0.2.1]',
  `<victim@other.example>@${ours}`,
  `victim@other.example ${ours}`,
  `victim\0@other.example`,
]

for (const door of doors)
  describe(`row 36: ${door.name}, by ${door.listener},`, () => {
    let running: Running
    let dir: string
    beforeAll(async () => {
      dir = mkdtempSync(join(tmpdir(), 'posthorn-relay-'))
      running = await startPosthorn(door.args(join(dir, 'var')), { main: join(root, 'apps', door.app, 'src/main.ts') })
    })
    afterAll(async () => {
      await stopCleanly(running)
      rmSync(dir, { recursive: true, force: true })
    })

    for (const sender of ['', `me@${door.ours}`, 'stranger@elsewhere.example'])
      test(`relays for nobody: sender <${sender}>`, async () => {
        const all = forms(door.ours)
        // A few to a session: who guesses on and on is answered later and later.
        for (let from = 0; from < all.length; from += 9) {
          const t = await talk(running.port(door.listener))
          await t.say(door.listener === 'lmtp' ? 'LHLO client.example' : `EHLO ${door.ours}`)
          const mail = await t.say(`MAIL FROM:<${sender}>`)
          for (const form of mail.startsWith('250') ? all.slice(from, from + 9) : []) {
            const reply = await t.say(`RCPT TO:<${form}>`)
            expect(`${form}: ${reply}`).toMatch(/: 5\d\d 5\./)
          }
          // Without a recipient there is nothing to send to.
          expect(await t.say('DATA')).toMatch(/^5(?:03|54|30) 5\./)
          t.cut()
        }
        expect(running.output()).not.toContain('message.received')
      })
  })
