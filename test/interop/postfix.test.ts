import { readFileSync } from 'node:fs'
import { beforeAll, expect, test } from 'vitest'
import { run, until } from '../peers/command.ts'
import { suite } from '../peers/needs.ts'
import { freePort } from '../peers/port.ts'
import { startPostfix, type Postfix } from '../peers/postfix.ts'
import type { Running } from '../peers/posthorn.ts'
import { pythonReport, pythonSubmit, type PythonMail } from '../peers/python.ts'
import { makeSite, type Site } from '../peers/site.ts'
import { swaks } from '../peers/swaks.ts'
import { teardown } from '../peers/teardown.ts'

const ann = 'ann@example.org'
const carol = 'carol@elsewhere.test'

const message = (subject: string, body: readonly string[] = ['.dot first', `body of ${subject}`, '']): string =>
  [`From: ${ann}`, `To: ${carol}`, `Subject: ${subject}`, '', ...body].join('\r\n')

suite('Postfix as sender to us and as our next hop, over STARTTLS both ways', ['postfix', 'swaks', 'python3'], () => {
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
        mailboxes: `/^(carol|gr\u00fcn)@elsewhere\\.test$/ carol/\n`,
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
  const byUs = (mail: Pick<PythonMail, 'to' | 'message' | 'mailOptions' | 'rcptOptions'>) =>
    pythonSubmit({
      port: running.port('submission'),
      tls: 'starttls',
      certificate: site.certificate,
      mechanism: 'PLAIN',
      user: ann,
      password: site.password,
      from: ann,
      ...mail,
    })

  test('it delivers to us, and the trace says with what', async () => {
    expect((await toPostfix(ann, 'from-postfix')).code).toBe(0)
    const arrived = await site.arrived(ann, 'body of from-postfix')
    expect(arrived).toMatch(
      /\tby mx\.example\.org \(Posthorn\) with ESMTPS id \w+\r\n\tfor <ann@example\.org>\r\n\ttls TLS_/,
    )
    expect(arrived).toContain('\n.dot first')
    expect(postfix.log()).toMatch(/Untrusted TLS connection established to 127\.0\.0\.1.*TLSv1\.3/)
  })

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

  test('it takes our mail, and every line of it', async () => {
    const lines = ['.', '..', '.dot first', '', 'gr\u00fc\u00df', 'x'.repeat(998), '', 'From here', ' \t', 'end']
    const body = [...lines, ...Array.from({ length: 40_000 }, (_, i) => `.${i} and more of the same`), '']
    expect(await byUs({ to: [carol], message: message('to-postfix', body), mailOptions: ['BODY=8BITMIME'] })).toEqual(
      {},
    )
    const arrived = await postfix.delivered('carol', 'Subject: to-postfix\n')
    expect(arrived.slice(arrived.indexOf('\n\n') + 2)).toBe(body.join('\n'))
    expect(postfix.log()).toMatch(/Anonymous TLS connection established from .*TLSv1\.3/)
  })

  test('what it refuses comes back as a report that Python understands', async () => {
    const mail = { to: [carol, 'nobody@elsewhere.test'], message: message('half-refused') }
    expect(await byUs({ ...mail, mailOptions: ['ENVID=QQ+2B314159'] })).toEqual({})
    await postfix.delivered('carol', 'body of half-refused')
    const report = await pythonReport(await site.arrived(ann, 'multipart/report'))
    expect(report).toMatchObject({
      defects: [],
      type: 'multipart/report',
      reportType: 'delivery-status',
      from: 'MAILER-DAEMON@mx.example.org',
      to: ann,
      returnPath: '<>',
      autoSubmitted: 'auto-replied',
      parts: ['text/plain', 'message/delivery-status', 'message/rfc822'],
      status: [
        { 'original-envelope-id': 'QQ+314159', 'reporting-mta': 'dns; mx.example.org' },
        {
          'final-recipient': 'rfc822; nobody@elsewhere.test',
          action: 'failed',
          status: '5.1.1',
          'remote-mta': 'dns; [127.0.0.1]',
          'diagnostic-code': expect.stringMatching(
            /^smtp; 550 5\.1\.1 <nobody@elsewhere\.test>: Recipient address rej/,
          ),
        },
      ],
    })
    expect(report.status).toHaveLength(2)
    expect(Math.abs(report.date - Date.now() / 1000)).toBeLessThan(60)
    expect(report.text).toContain('<nobody@elsewhere.test>')
    expect(report.text).not.toContain('<carol@elsewhere.test>')
    expect(report.original).toMatch(/Subject: half-refused\n.*\n\.dot first\nbody of half-refused\n$/s)
  })

  test('NOTIFY=SUCCESS, ENVID, RET and ORCPT go through us, and Postfix reports to the sender with them', async () => {
    const mailOptions = ['RET=HDRS', 'ENVID=to-carol']
    const rcptOptions = ['NOTIFY=SUCCESS,FAILURE', 'ORCPT=rfc822;kate+2Bshop@third.test']
    expect(await byUs({ to: [carol], message: message('dsn-out'), mailOptions, rcptOptions })).toEqual({})
    const report = await pythonReport(await site.arrived(ann, 'Original-Envelope-Id: to-carol'))
    expect(report).toMatchObject({
      defects: [],
      from: 'MAILER-DAEMON@postfix.test',
      returnPath: '<>',
      status: [{}, { 'original-recipient': 'rfc822;kate+shop@third.test', action: 'delivered', status: '2.0.0' }],
    })
    expect(report.parts[2]).toBe('text/rfc822-headers')
    await site.drained()
    // RFC 3461 §5.2.2: the next hop has taken over, so that we say nothing.
    expect(site.messages(ann).filter(m => m.includes('Subject: dsn-out'))).toHaveLength(1)
  })

  test('NOTIFY=SUCCESS, ENVID, RET and ORCPT come through Postfix, and we report to the sender with them', async () => {
    await pythonSubmit({
      port: postfix.port,
      from: carol,
      to: [ann],
      message: message('dsn-in'),
      mailOptions: ['RET=HDRS', 'ENVID=to-ann'],
      rcptOptions: ['NOTIFY=SUCCESS', 'ORCPT=rfc822;anna@third.test'],
    })
    const report = await pythonReport(await postfix.delivered('carol', 'Original-Envelope-Id: to-ann'))
    expect(report).toMatchObject({
      defects: [],
      from: 'MAILER-DAEMON@mx.example.org',
      to: carol,
      parts: ['text/plain', 'message/delivery-status', 'text/rfc822-headers'],
      status: [
        { 'reporting-mta': 'dns; mx.example.org' },
        {
          'original-recipient': 'rfc822; anna@third.test',
          'final-recipient': 'rfc822; ann@example.org',
          action: 'delivered',
          status: expect.stringMatching(/^2\./),
        },
      ],
    })
    expect(report.original).toContain('Subject: dsn-in')
    expect(report.original).not.toContain('body of dsn-in')
  })

  test('an address beyond ASCII goes through us to Postfix by SMTPUTF8', async () => {
    const to = 'gr\u00fcn@elsewhere.test'
    const options = ['SMTPUTF8', 'BODY=8BITMIME']
    expect(await byUs({ to: [to], message: message('to-gr\u00fcn'), mailOptions: options })).toEqual({})
    expect(await postfix.delivered('carol', 'body of to-gr\u00fcn')).toMatch(/with UTF8SMTPSA\b/)
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
