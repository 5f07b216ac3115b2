import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run, until } from '../peers/command.ts'
import { suite } from '../peers/needs.ts'
import { freePort } from '../peers/port.ts'
import { startPostfix, type Postfix } from '../peers/postfix.ts'
import type { Running } from '../peers/posthorn.ts'
import { makeSite, type Site } from '../peers/site.ts'

const user = 'ann@example.org'

/** Hand a message to a Postfix by SMTP. */
const submit = (postfix: Postfix, o: { readonly from: string; readonly to: string; readonly marker: string }) =>
  run('swaks', [
    '--server',
    '127.0.0.1',
    '--port',
    String(postfix.port),
    '--from',
    o.from,
    '--to',
    o.to,
    '--header',
    `Subject: ${o.marker}`,
    '--body',
    `.dot first\nbody of ${o.marker}`,
  ])

suite('Postfix as sender to us', ['postfix', 'swaks'], () => {
  let site: Site
  let running: Running
  let postfix: Postfix
  beforeAll(async () => {
    site = await makeSite({ users: [user] })
    running = await site.start()
    postfix = await startPostfix({
      port: await freePort(),
      main: {
        relay_domains: 'example.org',
        transport_maps: `static:smtp:[127.0.0.1]:${running.ports['mx']}`,
        smtp_tls_security_level: 'encrypt',
        smtp_tls_loglevel: '1',
      },
    })
  })
  afterAll(async () => {
    await postfix.stop()
    await running.stop()
    site.remove()
  })

  test('it delivers over STARTTLS and we say so in the trace', async () => {
    expect((await submit(postfix, { from: 'bob@sender.test', to: user, marker: 'from-postfix' })).code).toBe(0)
    const text = await site.arrived(user, 'body of from-postfix')
    expect(text).toMatch(/with ESMTPS\b/)
    expect(text).toContain('\n.dot first')
    expect(postfix.log()).toMatch(/Untrusted TLS connection established to 127\.0\.0\.1.*TLSv1\.[23]/)
  })

  test('it learns of an unknown recipient and bounces it itself', async () => {
    await submit(postfix, { from: 'bob@sender.test', to: 'nobody@example.org', marker: 'to-nobody' })
    await until('the refusal in the log', () =>
      /to=<nobody@example\.org>.*dsn=5\.1\.1, status=bounced.*550 5\.1\.1/.test(postfix.log()) ? true : undefined,
    )
  })

  test('many messages over kept connections all arrive', async () => {
    const before = site.messages(user).length
    const sent = await run('smtp-source', [
      '-s',
      '5',
      '-m',
      '50',
      '-l',
      '2000',
      '-f',
      'bob@sender.test',
      '-t',
      user,
      `127.0.0.1:${postfix.port}`,
    ])
    expect(sent.code).toBe(0)
    await until('50 more messages', () => (site.messages(user).length >= before + 50 ? true : undefined))
  })
})

suite('Postfix as our next hop', ['postfix', 'swaks'], () => {
  let site: Site
  let running: Running
  let postfix: Postfix
  beforeAll(async () => {
    // The next hop's certificate is one of ours, borrowed from a site that has just been started.
    const donor = await makeSite()
    const donated = await donor.start()
    await donated.stop()
    const pem = (name: string): string => readFileSync(join(donor.state, 'tls', name), 'utf8')
    postfix = await startPostfix({
      port: await freePort(),
      files: { 'cert.pem': pem('self-signed.crt'), 'key.pem': pem('self-signed.key') },
      main: {
        smtpd_tls_security_level: 'may',
        smtpd_tls_cert_file: 'DIR/etc/cert.pem',
        smtpd_tls_key_file: 'DIR/etc/key.pem',
        smtpd_tls_loglevel: '1',
        virtual_mailbox_domains: 'elsewhere.test',
        virtual_mailbox_maps: 'regexp:DIR/etc/mailboxes',
        smtpd_reject_unlisted_recipient: 'yes',
      },
    })
    copyFileSync('/dev/null', join(donor.dir, 'x'))
    donor.remove()
  })
  afterAll(async () => {
    await running.stop()
    await postfix.stop()
    site.remove()
  })
  const posthornFor = async (): Promise<void> => {
    site = await makeSite({
      users: [user],
      body: `outbound: { smarthost: { host: '127.0.0.1', port: ${postfix.port}, tls: 'encrypt' } },`,
    })
    running = await site.start()
  }

  test('it takes our mail over STARTTLS, and a bounce of its refusal reaches the sender', async () => {
    const { writeFileSync } = await import('node:fs')
    writeFileSync(join(postfix.dir, 'etc/mailboxes'), '/^carol@elsewhere\\.test$/ Maildir/\n')
    await posthornFor()
    const send = (to: string, marker: string) =>
      run('swaks', [
        '--server',
        '127.0.0.1',
        '--port',
        String(running.ports['submission']),
        '--tls',
        '--auth',
        'PLAIN',
        '--auth-user',
        user,
        '--auth-password',
        site.password,
        '--from',
        user,
        '--to',
        to,
        '--header',
        `Subject: ${marker}`,
        '--body',
        `.dot first\nbody of ${marker}`,
      ])
    expect((await send('carol@elsewhere.test', 'to-postfix')).code).toBe(0)
    const { readdirSync } = await import('node:fs')
    const box = join(postfix.dir, 'mail/Maildir/new')
    const text = await until('the message in the mailbox of Postfix', () => {
      try {
        return readdirSync(box)
          .map(name => readFileSync(join(box, name), 'utf8'))
          .find(m => m.includes('body of to-postfix'))
      } catch {
        return undefined
      }
    })
    expect(text).toContain('\n.dot first')
    expect(postfix.log()).toMatch(/Anonymous TLS connection established from .*TLSv1\.[23]/)
    expect((await send('nobody@elsewhere.test', 'to-nobody')).code).toBe(0)
    const bounce = await site.arrived(user, 'multipart/report')
    expect(bounce).toContain('Final-Recipient: rfc822; nobody@elsewhere.test')
    expect(bounce).toMatch(/^Return-Path: <>\r?$/m)
    expect(bounce).toContain('Action: failed')
    expect(bounce).toMatch(/Diagnostic-Code: smtp; 550 5\.1\.1/)
  })
})
