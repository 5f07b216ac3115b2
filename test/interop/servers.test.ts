import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { makes, type Make } from '../peers/makes.ts'
import type { MailServer } from '../peers/mail-server.ts'
import { suite } from '../peers/needs.ts'
import { freePort } from '../peers/port.ts'
import type { Running } from '../peers/posthorn.ts'
import { pythonReport, pythonSubmit } from '../peers/python.ts'
import { makeSite, type Site, type Submission } from '../peers/site.ts'
import { teardown } from '../peers/teardown.ts'

const ann = 'ann@example.org'
const domainOf = (make: Make): string => `${make.name.toLowerCase()}.test`

/** What makes them differ. */
interface Traits {
  readonly tls: 'encrypt' | 'may'
  readonly utf8: boolean
  /** In its log, a message that it has given to us. */
  readonly sent: RegExp
  /** In its log, a message that it has taken from us. */
  readonly took: RegExp
  /** The status of a recipient whom it does not know. */
  readonly unknown: string
  /** Its report of a success: what to know it by, and the field about kate+shop@third.test. */
  readonly report: string
  readonly original?: string
}
const traits: Readonly<Record<Make['name'], Traits>> = {
  Postfix: {
    tls: 'encrypt',
    utf8: true,
    sent: /status=sent \(250 2\.0\.0/,
    took: /Anonymous TLS connection established from .*TLSv1\.3/,
    unknown: '5.1.1',
    report: 'Original-Envelope-Id: to-Postfix',
    original: 'rfc822;kate+shop@third.test',
  },
  Exim: {
    tls: 'encrypt',
    utf8: true,
    // L: with pipelining. K: by BDAT.
    sent: /=> ann@example\.org R=to_us T=smtp .* L K C="250 2\.0\.0/,
    // L: with pipelining, though not before its banner, which the dot says.
    took: /<= ann@example\.org .* P=esmtps L\. X=TLS1\.3/,
    unknown: '5.0.0',
    report: 'Original-Envelope-ID: to-Exim',
    // It leaves the xtext as it is.
    original: 'rfc822;kate+2Bshop@third.test',
  },
  OpenSMTPD: {
    // Its STARTTLS fails as a server, see the peer's file.
    tls: 'may',
    utf8: false,
    sent: /result="?Ok"? stat="250 2\.0\.0/,
    took: /smtp message .* nrcpt=1 proto=ESMTP$/m,
    unknown: '5.2.4',
    // Neither ENVID nor ORCPT is in it.
    report: 'Subject: Delivery status notification: delivered',
  },
}

/** Everything that tempts a server to change a line. */
const lines = (subject: string): readonly string[] => [
  `body of ${subject}`,
  '.',
  '..',
  '.dot first',
  '',
  'grüß',
  'x'.repeat(998),
  '',
  'From here',
  '>From there',
  ' \t',
  'QUIT',
  ...Array.from({ length: 20_000 }, (_, i) => `.${i} and more of the same`),
  '',
  'end',
]
const message = (from: string, to: string, subject: string, body: readonly string[] = lines(subject)): string =>
  [`From: ${from}`, `To: ${to}`, `Subject: ${subject}`, '', ...body, ''].join('\r\n')
const bodyOf = (stored: string): readonly string[] => {
  const text = stored.replaceAll('\r\n', '\n')
  return text
    .slice(text.indexOf('\n\n') + 2)
    .trimEnd()
    .split('\n')
}

suite('other servers, in both directions', ['python3', ...makes.map(make => make.program)], () => {
  let site: Site
  let running: Running
  const servers = new Map<Make['name'], MailServer>()
  const undo = teardown()
  beforeAll(async () => {
    const ports = await Promise.all(makes.map(() => freePort()))
    const hops = Object.fromEntries(
      makes.map((make, i) => [
        domainOf(make),
        { via: 'smtp', host: '127.0.0.1', port: ports[i], tls: traits[make.name].tls },
      ]),
    )
    site = await makeSite({
      users: [ann, 'grün@example.org'],
      head: `import { definePlugin } from '@posthorn/plugin'
const hops = ${JSON.stringify(hops)}
const neighbours = definePlugin({ name: 'neighbours', setup: () => ({ route: ({ to }) => hops[to.domain] }) })`,
      body: 'plugins: [neighbours],',
    })
    undo(() => site.remove())
    running = await site.start()
    undo(() => running.stop())
    const relay = {
      domain: 'example.org',
      smtp: running.port('mx'),
      lmtp: running.port('lmtp'),
      login: { port: running.port('submission'), user: ann, password: site.password },
    }
    const [certificate, key] = ['crt', 'key'].map(ending =>
      readFileSync(new URL(`../peers/fixtures/rsa.${ending}`, import.meta.url), 'utf8'),
    ) as [string, string]
    for (const [i, make] of makes.entries()) {
      const [domain, port] = [domainOf(make), ports[i] ?? 0]
      const mailboxes = ['carol', 'grün'].slice(0, traits[make.name].utf8 ? 2 : 1)
      const server = await make.start({ port, hostname: domain, domain, mailboxes, certificate, key, relay })
      undo(() => server.stop())
      servers.set(make.name, server)
    }
  })

  const byUs = (mail: Submission) => site.submit(running, ann, mail)

  describe.each(makes)('$name', make => {
    const trait = traits[make.name]
    const domain = domainOf(make)
    const carol = `carol@${domain}`
    const server = (): MailServer => servers.get(make.name)!
    const byIt = (mail: Submission) => pythonSubmit({ port: server().port, from: carol, ...mail })

    test('delivers to us over TLS, octet for octet', async () => {
      const subject = `from-${make.name}`
      const mail = { to: [ann], message: message(carol, ann, subject), mailOptions: ['BODY=8BITMIME'] }
      expect(await byIt(mail)).toEqual({})
      const arrived = await site.arrived(ann, `body of ${subject}`)
      expect(bodyOf(arrived)).toEqual(lines(subject))
      expect(arrived).toMatch(
        /\tby mx\.example\.org \(Posthorn\) with ESMTPS id \w+\r\n\tfor <ann@example\.org>\r\n\ttls TLS_/,
      )
      await server().logged(trait.sent)
    })

    test(`takes our mail ${trait.tls === 'may' ? 'in clear, since its TLS fails' : 'over TLS'}, octet for octet`, async () => {
      const subject = `to-${make.name}`
      const mail = { to: [carol], message: message(ann, carol, subject), mailOptions: ['BODY=8BITMIME'] }
      expect(await byUs(mail)).toEqual({})
      const arrived = Buffer.from(await server().delivered('carol', `body of ${subject}`)).toString()
      expect(bodyOf(arrived)).toEqual(lines(subject))
      await server().logged(trait.took)
    })

    test('refuses a recipient, and the sender has a report of ours that Python understands', async () => {
      const subject = `half-refused-by-${make.name}`
      const to = [carol, `nobody@${domain}`]
      const short = message(ann, carol, subject, [`body of ${subject}`])
      expect(await byUs({ to, message: short, mailOptions: [`ENVID=${subject}`] })).toEqual({})
      await server().delivered('carol', `body of ${subject}`)
      const report = await pythonReport(await site.arrived(ann, `Original-Envelope-Id: ${subject}`))
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
          { 'original-envelope-id': subject, 'reporting-mta': 'dns; mx.example.org' },
          {
            'final-recipient': `rfc822; nobody@${domain}`,
            action: 'failed',
            status: trait.unknown,
            'remote-mta': 'dns; [127.0.0.1]',
            'diagnostic-code': expect.stringMatching(/^smtp; 5\d\d /),
          },
        ],
      })
      expect(report.status).toHaveLength(2)
      expect(Math.abs(report.date - Date.now() / 1000)).toBeLessThan(60)
      expect(report.text).toContain(`<nobody@${domain}>`)
      expect(report.text).not.toContain(`<${carol}>`)
      expect(report.original).toMatch(new RegExp(`Subject: ${subject}\n.*\nbody of ${subject}\n$`, 's'))
    })

    test('reports success to our sender, with the NOTIFY, ENVID, RET and ORCPT that we passed on', async () => {
      const mailOptions = ['RET=HDRS', `ENVID=to-${make.name}`]
      const rcptOptions = ['NOTIFY=SUCCESS,FAILURE', 'ORCPT=rfc822;kate+2Bshop@third.test']
      const subject = `dsn-to-${make.name}`
      expect(await byUs({ to: [carol], message: message(ann, carol, subject, []), mailOptions, rcptOptions })).toEqual(
        {},
      )
      const text = await site.arrived(ann, trait.report)
      const report = await pythonReport(text)
      expect(report).toMatchObject({ defects: [], returnPath: '<>' })
      expect(report.from).toContain(`@${domain}`)
      await site.drained()
      // RFC 3461 §5.2.2: the next hop has taken over, so that we say nothing.
      expect(site.messages(ann).filter(m => m.includes(`Subject: ${subject}`))).toHaveLength(1)
      expect(report.status[1]).toMatchObject({ action: 'delivered' })
      expect(report.status[1]?.['original-recipient']).toBe(trait.original)
    })

    test('passes NOTIFY, ENVID, RET and ORCPT on to us, and we report success to its sender', async () => {
      expect(
        await byIt({
          to: [ann],
          message: message(carol, ann, `dsn-from-${make.name}`, ['body of dsn-in']),
          mailOptions: ['RET=HDRS', `ENVID=from-${make.name}`],
          rcptOptions: ['NOTIFY=SUCCESS', 'ORCPT=rfc822;anna@third.test'],
        }),
      ).toEqual({})
      const text = await server().delivered('carol', `Original-Envelope-Id: from-${make.name}`)
      const report = await pythonReport(text)
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
      expect(report.original).toContain(`Subject: dsn-from-${make.name}`)
      expect(report.original).not.toContain('body of dsn-in')
    })

    test('delivers to us by LMTP, where each recipient has a reply of its own', async () => {
      const subject = `lmtp-from-${make.name}`
      const to = ['ann+lmtp@example.org', 'nobody+lmtp@example.org']
      const mail = message(carol, ann, subject, ['.dot first', `body of ${subject}`])
      expect(await byIt({ to, message: mail })).toEqual({})
      const arrived = await site.arrived(ann, `body of ${subject}`)
      expect(arrived).toMatch(/\tby mx\.example\.org \(Posthorn\) with LMTP id \w+[;\r]/)
      expect(arrived).toContain('\nDelivered-To: ann+lmtp@example.org\r')
      expect(bodyOf(arrived)).toEqual(['.dot first', `body of ${subject}`])
      await server().logged(/nobody\+lmtp@example\.org.*550 5\.1\.1/)
    })

    test('submits to us as a user of ours', async () => {
      const subject = `login-from-${make.name}`
      const mail = message(ann, ann, subject, [`body of ${subject}`])
      const refused = await pythonSubmit({
        port: server().port,
        from: ann,
        to: ['ann+login@example.org'],
        message: mail,
      })
      expect(refused).toEqual({})
      expect(await site.arrived(ann, `body of ${subject}`)).toMatch(
        /\tby mx\.example\.org \(Posthorn\) with ESMTPSA id/,
      )
    })

    if (trait.utf8) {
      const options = ['SMTPUTF8', 'BODY=8BITMIME']
      test('an address beyond ASCII goes in both directions by SMTPUTF8', async () => {
        const [here, there] = ['grün@example.org', `grün@${domain}`]
        const both = (from: string, to: string) => ({
          to: [to],
          message: message(from, to, `grün-${make.name}`, [`utf8 of ${make.name}`]),
          mailOptions: options,
        })
        expect(await byUs(both(ann, there))).toEqual({})
        expect(await server().delivered('grün', `utf8 of ${make.name}`)).toMatch(/with UTF8SMTPSA\b/)
        expect(await byIt(both(there, here))).toEqual({})
        expect(await site.arrived('grün@example.org', `utf8 of ${make.name}`)).toMatch(/with UTF8SMTPS\b/)
      })
    } else
      test('has no SMTPUTF8, so that mail which needs it comes back with 5.6.7', async () => {
        const mailOptions = ['SMTPUTF8', 'BODY=8BITMIME', `ENVID=utf8-${make.name}`]
        expect(await byUs({ to: [`grün@${domain}`], message: message(ann, carol, 'grün', []), mailOptions })).toEqual(
          {},
        )
        expect(await site.arrived(ann, `Original-Envelope-Id: utf8-${make.name}`)).toContain('Status: 5.6.7')
      })
  })
})
