import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { until } from '../peers/command.ts'
import { mailUser, startDovecot } from '../peers/dovecot.ts'
import type { MailServer } from '../peers/mail-server.ts'
import { maildirMessages } from '../peers/maildir.ts'
import { makes } from '../peers/makes.ts'
import { suite } from '../peers/needs.ts'
import { freePort } from '../peers/port.ts'
import type { Running } from '../peers/posthorn.ts'
import { startRecorder, type Recorder } from '../peers/recorder.ts'
import { makeSite, type Site } from '../peers/site.ts'
import { teardown } from '../peers/teardown.ts'

const ann = 'ann@example.org'
const chunkers = makes.filter(({ name }) => name !== 'OpenSMTPD')
const lines = (subject: string): readonly string[] => [
  `body of ${subject}`,
  '.',
  '..',
  'QUIT',
  ...Array.from({ length: 40_000 }, (_, i) => `.${i} and more of the same`),
  'end',
]
const message = (to: string, subject: string, body: readonly string[]): string =>
  [`From: ${ann}`, `To: ${to}`, `Subject: ${subject}`, '', ...body, ''].join('\r\n')
const bodyOf = (stored: string): readonly string[] => {
  const text = stored.replaceAll('\r\n', '\n')
  return text
    .slice(text.indexOf('\n\n') + 2)
    .trimEnd()
    .split('\n')
}
/** The commands of what a client said, of which the content is skipped: by its size after BDAT, by its dot after DATA. */
const commands = (said: string): readonly string[] => {
  const found: string[] = []
  for (let at = 0; at < said.length;) {
    const end = said.indexOf('\r\n', at)
    const line = said.slice(at, end === -1 ? undefined : end)
    found.push(line)
    at = end === -1 ? said.length : end + 2
    const size = /^BDAT (\d+)/.exec(line)?.[1]
    if (size !== undefined) at += Number(size)
    else if (line === 'DATA') at = said.indexOf('\r\n.\r\n', at) + 5
  }
  return found
}

suite('long messages by BDAT', ['dovecot', ...chunkers.map(make => make.program)], () => {
  let site: Site
  let running: Running
  let mail: string
  const servers = new Map<string, MailServer>()
  const recorders = new Map<string, Recorder>()
  const undo = teardown()
  beforeAll(async () => {
    for (const make of chunkers) {
      const domain = `${make.name.toLowerCase()}.test`
      const server = await make.start({ port: await freePort(), hostname: domain, domain, mailboxes: ['carol'] })
      undo(() => server.stop())
      servers.set(domain, server)
    }
    mail = mkdtempSync(join(tmpdir(), 'posthorn-mail-'))
    undo(() => rmSync(mail, { recursive: true, force: true }))
    chmodSync(mail, 0o755) // Dovecot's user must reach the Maildir in it
    mkdirSync(join(mail, 'carol'))
    chownSync(join(mail, 'carol'), mailUser.uid, mailUser.gid)
    const dovecot = await startDovecot({
      imapPort: await freePort(),
      lmtpPort: await freePort(),
      users: { 'carol@dovecot.test': { password: 'x', maildir: join(mail, 'carol') } },
    })
    undo(() => dovecot.stop())
    const ports = new Map([
      ...[...servers].map(([domain, { port }]) => [domain, port] as const),
      ['dovecot.test', dovecot.lmtpPort],
    ])
    for (const [domain, port] of ports) {
      const recorder = await startRecorder(port)
      undo(() => recorder.stop())
      recorders.set(domain, recorder)
    }
    const hops = Object.fromEntries(
      [...recorders].map(([domain, { port }]) => [
        domain,
        { via: domain === 'dovecot.test' ? 'lmtp' : 'smtp', host: '127.0.0.1', port, tls: 'never' },
      ]),
    )
    site = await makeSite({
      users: [ann],
      head: `import { definePlugin } from '@posthorn/plugin'
const hops = ${JSON.stringify(hops)}
const neighbours = definePlugin({ name: 'neighbours', setup: () => ({ route: ({ to }) => hops[to.domain] }) })`,
      body: 'plugins: [neighbours],',
    })
    undo(() => site.remove())
    running = await site.start()
    undo(() => running.stop())
  })
  /** Send to carol there, and to a stranger; what was said since, and what came in. */
  const sent = async (domain: string, subject: string, body: readonly string[], to = [`carol@${domain}`]) => {
    const recorder = recorders.get(domain)!
    const before = recorder.said().length
    expect(await site.submit(running, ann, { to, message: message(`carol@${domain}`, subject, body) })).toEqual({})
    await site.drained()
    return commands(recorder.said().slice(before))
  }
  const arrived = (domain: string, text: string): Promise<string> =>
    domain === 'dovecot.test'
      ? until(`a message with ${text}`, () => maildirMessages(join(mail, 'carol')).find(m => m.includes(text)))
      : servers.get(domain)!.delivered('carol', text)

  describe.each(['postfix.test', 'exim.test', 'dovecot.test'])('%s', domain => {
    test('takes one, octet for octet, in chunks of which the last is a message', async () => {
      const subject = `long to ${domain}`
      const said = await sent(domain, subject, lines(subject))
      expect(said.filter(line => /^(DATA|BDAT)/.test(line))).toEqual([
        expect.stringMatching(/^BDAT \d\d+$/),
        ...said.filter(line => /^BDAT \d{6,}$/.test(line)),
        expect.stringMatching(/^BDAT \d+ LAST$/),
      ])
      expect(said.filter(line => /^BDAT \d{6,}$/.test(line)).length).toBeGreaterThan(1)
      const stored = Buffer.from(await arrived(domain, `body of ${subject}`), 'latin1').toString()
      expect(bodyOf(stored)).toEqual(lines(subject))
    })
    test('gets a short one by DATA over the same connection', async () => {
      const subject = `short to ${domain}`
      expect(
        (await sent(domain, subject, [`body of ${subject}`])).filter(line => /^(DATA|BDAT|EHLO)/.test(line)),
      ).toEqual(['DATA'])
      await arrived(domain, `body of ${subject}`)
    })
    test('refuses the only recipient, and gets no more than one line of it', async () => {
      const subject = `long to a stranger at ${domain}`
      const said = await sent(domain, subject, lines(subject), [`nobody@${domain}`])
      expect(said.filter(line => /^(DATA|BDAT)/.test(line))).toEqual([expect.stringMatching(/^BDAT \d\d+$/)])
      expect(await site.arrived(ann, `Final-Recipient: rfc822; nobody@${domain}`)).toMatch(/^Status: 5\./m)
      const next = `after a stranger at ${domain}`
      expect(await sent(domain, next, [`body of ${next}`])).toContain('DATA')
      await arrived(domain, `body of ${next}`)
    })
  })
  test('Exim says so in its log', async () => {
    const exim = servers.get('exim.test')!
    const line = /<= ann@example\.org .* P=esmtp .*\bK\b/
    await exim.logged(line)
    expect(exim.log()).toMatch(line)
  })
})
