import { readFileSync } from 'node:fs'
import { beforeAll, expect, test } from 'vitest'
import { run, until } from '../peers/command.ts'
import { suite } from '../peers/needs.ts'
import { freePort } from '../peers/port.ts'
import { startPostfix, type Postfix } from '../peers/postfix.ts'
import type { Running } from '../peers/posthorn.ts'
import { makeSite, type Site, type Submission } from '../peers/site.ts'
import { swaks } from '../peers/swaks.ts'
import { teardown } from '../peers/teardown.ts'

const ann = 'ann@example.org'
const carol = 'carol@elsewhere.test'

const message = (subject: string, body: readonly string[] = ['.dot first', `body of ${subject}`, '']): string =>
  [`From: ${ann}`, `To: ${carol}`, `Subject: ${subject}`, '', ...body].join('\r\n')

suite('Postfix that is told no, hurries, says no, and is away', ['postfix', 'swaks', 'python3'], () => {
  let site: Site
  let running: Running
  let postfix: Postfix
  const undo = teardown()
  beforeAll(async () => {
    const port = await freePort()
    site = await makeSite({
      users: [ann],
      body: `outbound: { smarthost: { host: '127.0.0.1', port: ${port}, tls: 'encrypt' } },
  retry: { first: '1s', most: '1s' },`,
    })
    undo(() => site.remove())
    running = await site.start()
    undo(() => running.stop())
    postfix = await startPeer(port)
    undo(() => postfix.stop())
  })
  const startPeer = (port: number): Promise<Postfix> =>
    startPostfix({
      port,
      files: {
        'cert.pem': readFileSync(site.certificate, 'utf8'),
        'key.pem': readFileSync(site.key, 'utf8'),
        mailboxes: '/^carol@elsewhere\\.test$/ carol/\n',
      },
      main: {
        relay_domains: 'example.org',
        relayhost: `[127.0.0.1]:${running.port('mx')}`,
        smtp_tls_security_level: 'encrypt',
        smtp_tls_loglevel: '1',
        smtpd_tls_security_level: 'may',
        smtpd_tls_cert_file: 'DIR/etc/cert.pem',
        smtpd_tls_key_file: 'DIR/etc/key.pem',
        smtpd_tls_loglevel: '1',
        virtual_mailbox_domains: 'elsewhere.test',
        virtual_mailbox_maps: 'regexp:DIR/etc/mailboxes',
      },
    })

  const toPostfix = (to: string, subject: string) => swaks({ port: postfix.port, from: carol, to, subject })
  const byUs = (mail: Submission) => site.submit(running, ann, mail)

  test('it learns of an unknown recipient from us, and of an address that is not ours', async () => {
    expect((await toPostfix('nobody@example.org', 'to-nobody')).code).toBe(0)
    await postfix.logged(/to=<nobody@example\.org>.*dsn=5\.1\.1, status=bounced.*said: 550 5\.1\.1/)
    expect((await toPostfix('who@third.test', 'to-a-third')).code).toBe(0)
    await postfix.logged(/to=<who@third\.test>.*dsn=5\.7\.1, status=bounced.*said: 550 5\.7\.1/)
  })

  test('fifty messages over five connections all arrive', async () => {
    const before = site.messages(ann).length
    const load = ['-s', '5', '-m', '50', '-l', '2000', '-f', carol, '-t', ann]
    expect((await run('/usr/sbin/smtp-source', [...load, `127.0.0.1:${postfix.port}`])).code).toBe(0)
    await until('50 more messages', () => site.messages(ann).length === before + 50 || undefined)
  })

  test('nobody hears of a message with NOTIFY=NEVER that Postfix refuses', async () => {
    const before = site.messages(ann).length
    const mail = { to: ['never@elsewhere.test'], message: message('never-told') }
    expect(await byUs({ ...mail, rcptOptions: ['NOTIFY=NEVER'] })).toEqual({})
    await site.drained()
    await postfix.logged(/reject: RCPT .* 550 5\.1\.1 <never@elsewhere\.test>/)
    expect(site.messages(ann)).toHaveLength(before)
  })

  test('mail waits while Postfix is away, says why, and goes when it is back', async () => {
    const { port } = postfix
    await postfix.stop()
    expect(await byUs({ to: [carol], message: message('has-waited') })).toEqual({})
    await until('the reason in the queue', async () => {
      const listed = await site.posthorn('queue', 'list', '--json')
      return listed.stdout.includes('connection refused') || undefined
    })
    postfix = await startPeer(port)
    await postfix.delivered('carol', 'body of has-waited')
    await site.drained()
  })
})
