import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { until } from '../peers/command.ts'
import { mailUser, startDovecot, type Dovecot } from '../peers/dovecot.ts'
import { maildirMessages } from '../peers/maildir.ts'
import { suite } from '../peers/needs.ts'
import { freePort } from '../peers/port.ts'
import type { Running } from '../peers/posthorn.ts'
import { pythonReport } from '../peers/python.ts'
import { makeSite, type Site } from '../peers/site.ts'
import { swaks } from '../peers/swaks.ts'
import { teardown } from '../peers/teardown.ts'

const ann = 'ann@example.org'
const bob = 'bob@sender.test'

suite('LMTP from us into Dovecot', ['dovecot', 'swaks', 'python3'], () => {
  let mail: string
  let site: Site
  let running: Running
  let dovecot: Dovecot
  const undo = teardown()
  beforeAll(async () => {
    mail = mkdtempSync(join(tmpdir(), 'posthorn-mail-'))
    undo(() => rmSync(mail, { recursive: true, force: true }))
    chmodSync(mail, 0o755) // Dovecot's user must reach the Maildir in it
    mkdirSync(join(mail, 'ann'))
    chownSync(join(mail, 'ann'), mailUser.uid, mailUser.gid)
    dovecot = await startDovecot({
      imapPort: await freePort(),
      lmtpPort: await freePort(),
      users: { [ann]: { password: 'x', maildir: join(mail, 'ann') } },
    })
    undo(() => dovecot.stop())
    site = await makeSite({
      body: `deliver: { lmtp: { host: '127.0.0.1', port: ${dovecot.lmtpPort} }, recipients: 'any' },`,
    })
    undo(() => site.remove())
    running = await site.start()
    undo(() => running.stop())
  })
  const arrived = (text: string): Promise<string> =>
    until(`a message with ${text} in the Maildir of Dovecot`, () =>
      maildirMessages(join(mail, 'ann')).find(m => m.includes(text)),
    )

  test('it takes the message and we are in its trace', async () => {
    expect((await swaks({ port: running.port('mx'), from: bob, to: ann, subject: 'to-dovecot' })).code).toBe(0)
    const text = await arrived('body of to-dovecot')
    expect(text).toMatch(/^Return-Path: <bob@sender\.test>\r?\nDelivered-To: ann@example\.org\r?\n/)
    expect(text).toMatch(/^Received: from mx\.example\.org .*\n\tby .* with LMTP\n/m)
    expect(text).toContain('\n.dot first')
  })

  test('a recipient whom it does not know is reported, and the other has the message', async () => {
    const to = `${ann},nobody@example.org`
    expect((await swaks({ port: running.port('mx'), from: ann, to, subject: 'half-known' })).code).toBe(0)
    await arrived('body of half-known')
    const report = await pythonReport(await arrived('multipart/report'))
    expect(report).toMatchObject({
      defects: [],
      from: 'MAILER-DAEMON@mx.example.org',
      to: ann,
      status: [{}, { 'final-recipient': 'rfc822; nobody@example.org', action: 'failed', status: '5.1.1' }],
    })
    expect(report.status).toHaveLength(2)
  })
})
