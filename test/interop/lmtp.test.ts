import { mkdirSync, readdirSync, readFileSync, chownSync, chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { run, until } from '../peers/command.ts'
import { mailUser, startDovecot } from '../peers/dovecot.ts'
import { suite } from '../peers/needs.ts'
import { freePort } from '../peers/port.ts'
import { startPostfix } from '../peers/postfix.ts'
import { makeSite } from '../peers/site.ts'

const user = 'ann@example.org'
const cleanups: (() => unknown)[] = []

suite('LMTP, both ways', ['postfix', 'dovecot', 'swaks'], () => {
  afterAll(async () => {
    for (const clean of cleanups.toReversed()) await clean()
  })

  test('Postfix delivers into us over LMTP, one reply a recipient', async () => {
    const site = await makeSite({ users: [user] })
    cleanups.push(() => site.remove())
    const running = await site.start()
    cleanups.push(() => running.stop())
    const postfix = await startPostfix({
      port: await freePort(),
      main: {
        virtual_mailbox_domains: 'example.org',
        virtual_mailbox_maps: 'static:x',
        virtual_transport: `lmtp:inet:127.0.0.1:${running.ports['lmtp']}`,
      },
    })
    cleanups.push(() => postfix.stop())
    await run('swaks', [
      '--server',
      '127.0.0.1',
      '--port',
      String(postfix.port),
      '--from',
      'bob@sender.test',
      '--to',
      `${user},nobody@example.org`,
      '--body',
      'by lmtp',
    ])
    const text = await site.arrived(user, 'by lmtp')
    expect(text).toMatch(/with LMTP\b/)
    await until('one sent and one bounced in the log', () =>
      /to=<ann@example\.org>.*status=sent/.test(postfix.log()) &&
      /to=<nobody@example\.org>.*status=bounced.*550 5\.1\.1/.test(postfix.log())
        ? true
        : undefined,
    )
  })

  test('we deliver into Dovecot over LMTP', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'posthorn-dovecot-mail-'))
    cleanups.push(() => rmSync(dir, { recursive: true, force: true }))
    chmodSync(dir, 0o755)
    const maildir = join(dir, 'ann')
    mkdirSync(maildir)
    chownSync(maildir, mailUser.uid, mailUser.gid)
    const dovecot = await startDovecot({
      imapPort: await freePort(),
      lmtpPort: await freePort(),
      users: { [user]: { password: 'x', maildir } },
    })
    cleanups.push(() => dovecot.stop())
    const site = await makeSite({
      body: `mailboxes: ['ann@example.org'], deliver: { lmtp: { host: '127.0.0.1', port: ${dovecot.lmtpPort} } },`,
    })
    cleanups.push(() => site.remove())
    const running = await site.start()
    cleanups.push(() => running.stop())
    const sent = await run('swaks', [
      '--server',
      '127.0.0.1',
      '--port',
      String(running.ports['mx']),
      '--from',
      'bob@sender.test',
      '--to',
      user,
      '--body',
      '.to dovecot',
    ])
    expect(sent.code).toBe(0)
    const text = await until('the message in the Maildir of Dovecot', () => {
      try {
        return readdirSync(join(maildir, 'new'))
          .map(n => readFileSync(join(maildir, 'new', n), 'utf8'))
          .find(m => m.includes('.to dovecot'))
      } catch {
        return undefined
      }
    })
    expect(text).toMatch(/by mx\.example\.org/)
  })
})
