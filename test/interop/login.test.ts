import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { selfSigned } from '@posthorn/tls-policy'
import { beforeAll, expect, test } from 'vitest'
import { startDovecot, type Dovecot } from '../peers/dovecot.ts'
import { suite } from '../peers/needs.ts'
import { freePort } from '../peers/port.ts'
import { startPostfix, type Postfix } from '../peers/postfix.ts'
import type { Running } from '../peers/posthorn.ts'
import { makeSite, type Site } from '../peers/site.ts'
import { swaks } from '../peers/swaks.ts'
import { teardown } from '../peers/teardown.ts'

const ann = 'ann@example.org'
const carol = 'carol@elsewhere.test'
const secret = 'only for the relay'

suite('servers that log in at each other', ['postfix', 'dovecot', 'swaks'], () => {
  let site: Site
  let running: Running
  let dovecot: Dovecot
  let postfix: Postfix
  const undo = teardown()
  beforeAll(async () => {
    const port = await freePort()
    site = await makeSite({
      users: [ann],
      body: `outbound: { smarthost: { host: 'localhost', port: ${port}, user: 'relay', password: { env: 'RELAY' } } },`,
    })
    undo(() => site.remove())
    const pair = await selfSigned({ names: ['localhost'] })
    const authority = join(site.dir, 'authority.pem')
    writeFileSync(authority, pair.certPem)
    running = await site.start({ RELAY: secret, NODE_EXTRA_CA_CERTS: authority })
    undo(() => running.stop())
    dovecot = await startDovecot({
      imapPort: await freePort(),
      lmtpPort: await freePort(),
      users: { relay: { password: secret, maildir: '/nonexistent' } },
    })
    undo(() => dovecot.stop())
    postfix = await startPostfix({
      port,
      files: { 'cert.pem': pair.certPem, 'key.pem': pair.keyPem },
      main: {
        smtpd_tls_security_level: 'may',
        smtpd_tls_cert_file: 'DIR/etc/cert.pem',
        smtpd_tls_key_file: 'DIR/etc/key.pem',
        smtpd_tls_auth_only: 'yes',
        smtpd_sasl_auth_enable: 'yes',
        smtpd_sasl_type: 'dovecot',
        smtpd_sasl_path: dovecot.authSocket,
        virtual_mailbox_domains: 'elsewhere.test',
        virtual_mailbox_maps: `inline:{ ${carol}=carol/ }`,
        relay_domains: 'example.org',
        relayhost: `[127.0.0.1]:${running.port('submission')}`,
        smtp_tls_security_level: 'encrypt',
        smtp_sasl_auth_enable: 'yes',
        smtp_sasl_tls_security_options: 'noanonymous',
        smtp_sasl_password_maps: `static:{${ann}:${site.password}}`,
      },
    })
    undo(() => postfix.stop())
  })

  test('Postfix is told that its user may not write as another', async () => {
    await swaks({ port: postfix.port, from: 'bob@example.org', to: ann, subject: 'by-another' })
    await postfix.logged(/to=<ann@example\.org>.*dsn=5\.7\.1, status=bounced/)
    expect(site.messages(ann).some(m => m.includes('body of by-another\r\n') && !m.includes('multipart/report'))).toBe(
      false,
    )
  })

  test('we log in at Postfix, over TLS whose certificate was verified', async () => {
    const login = { mechanism: 'PLAIN', user: ann, password: site.password } as const
    const mail = { from: ann, to: carol, subject: 'to-a-smarthost' }
    const sent = await swaks({ ...mail, port: running.port('submission'), tls: 'starttls', login })
    expect(sent).toMatchObject({ code: 0 })
    const arrived = await postfix.delivered('carol', 'body of to-a-smarthost')
    expect(arrived).toMatch(/^Received: from mx\.example\.org .*\n\tby postfix\.test \(Postfix\) with ESMTPSA id/m)
    expect(postfix.log()).toMatch(/client=localhost\[127\.0\.0\.1\], sasl_method=PLAIN, sasl_username=relay/)
  })
})
