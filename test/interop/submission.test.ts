import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run, type Ran } from '../peers/command.ts'
import { suite } from '../peers/needs.ts'
import type { Running } from '../peers/posthorn.ts'
import { makeSite, type Site } from '../peers/site.ts'

const user = 'ann@example.org'

/** What one submission is made of. */
interface Submission {
  readonly site: Site
  readonly port: number
  readonly implicit: boolean
  readonly mechanism: 'PLAIN' | 'LOGIN'
  readonly marker: string
}

const message = (marker: string): string =>
  `From: ${user}\r\nTo: ${user}\r\nSubject: ${marker}\r\n\r\n.leading dot\r\nbody of ${marker}\r\n`

type Client = (s: Submission) => Promise<Ran>

const swaks: Client = s =>
  run('swaks', [
    ...['--server', '127.0.0.1', '--port', String(s.port), s.implicit ? '--tls-on-connect' : '--tls'],
    ...['--auth', s.mechanism, '--auth-user', user, '--auth-password', s.site.password],
    ...[
      '--from',
      user,
      '--to',
      user,
      '--header',
      `Subject: ${s.marker}`,
      '--body',
      `.leading dot\nbody of ${s.marker}`,
    ],
  ])

const msmtp: Client = s => {
  const rc = join(s.site.dir, 'msmtprc')
  const lines = [
    'account default',
    'host localhost',
    `port ${s.port}`,
    'tls on',
    `tls_starttls ${s.implicit ? 'off' : 'on'}`,
    `tls_trust_file ${s.site.certificate}`,
    `auth ${s.mechanism.toLowerCase()}`,
    `user ${user}`,
    `password ${s.site.password}`,
    `from ${user}`,
  ]
  writeFileSync(rc, `${lines.join('\n')}\n`, { mode: 0o600 })
  return run('msmtp', ['-C', rc, user], { input: message(s.marker).replaceAll('\r\n', '\n') })
}

const curl: Client = s =>
  run(
    'curl',
    [
      ...[
        '-sS',
        '--cacert',
        s.site.certificate,
        '--user',
        `${user}:${s.site.password}`,
        '--login-options',
        `AUTH=${s.mechanism}`,
      ],
      ...['--mail-from', user, '--mail-rcpt', user, '--upload-file', '-'],
      ...(s.implicit ? [`smtps://localhost:${s.port}`] : ['--ssl-reqd', `smtp://localhost:${s.port}`]),
    ],
    { input: message(s.marker) },
  )

const mutt: Client = s => {
  const rc = join(s.site.dir, 'muttrc')
  const url = `${s.implicit ? 'smtps' : 'smtp'}://${encodeURIComponent(user)}@localhost:${s.port}/`
  const lines = [
    `set smtp_url="${url}"`,
    `set smtp_pass="${s.site.password}"`,
    `set smtp_authenticators="${s.mechanism.toLowerCase()}"`,
    `set from="${user}" use_envelope_from=yes copy=no`,
    `set ssl_force_tls=yes ssl_ca_certificates_file="${s.site.certificate}" certificate_file="${s.site.certificate}"`,
    'set ssl_usesystemcerts=no',
  ]
  writeFileSync(rc, `${lines.join('\n')}\n`, { mode: 0o600 })
  return run('mutt', ['-F', rc, '-s', s.marker, '--', user], {
    input: `.leading dot\nbody of ${s.marker}\n`,
    env: { TERM: 'dumb', HOME: s.site.dir },
  })
}

const python: Client = s =>
  run('python3', ['-'], {
    input: `
import smtplib, ssl
context = ssl.create_default_context(cafile=${JSON.stringify(s.site.certificate)})
${s.implicit ? `c = smtplib.SMTP_SSL('localhost', ${s.port}, context=context)` : `c = smtplib.SMTP('localhost', ${s.port}); c.starttls(context=context)`}
c.ehlo()
c.user, c.password = ${JSON.stringify(user)}, ${JSON.stringify(s.site.password)}
c.auth('${s.mechanism}', c.auth_${s.mechanism.toLowerCase()})
print(c.sendmail(${JSON.stringify(user)}, [${JSON.stringify(user)}], ${JSON.stringify(message(s.marker))}))
c.quit()
`,
  })

const clients: Readonly<Record<string, Client>> = { swaks, msmtp, curl, mutt, 'smtplib of Python': python }

suite('submission by the clients people use', ['swaks', 'msmtp', 'curl', 'mutt', 'python3'], () => {
  let site: Site
  let running: Running
  beforeAll(async () => {
    site = await makeSite({ users: [user] })
    running = await site.start()
  })
  afterAll(async () => {
    expect(await running.stop()).toBe(0)
    site.remove()
  })

  for (const [name, client] of Object.entries(clients))
    for (const service of ['submission', 'submissions'] as const)
      for (const mechanism of ['PLAIN', 'LOGIN'] as const)
        test(`${name} submits to ${service} with AUTH ${mechanism}, and the message arrives whole`, async () => {
          const marker = `${name.split(' ')[0]}-${service}-${mechanism}`
          const port = running.ports[service] ?? 0
          const ran = await client({ site, port, implicit: service === 'submissions', mechanism, marker })
          expect(`${ran.code} ${ran.code === 0 ? '' : ran.stdout + ran.stderr}`).toBe('0 ')
          const text = await site.arrived(user, `body of ${marker}`)
          expect(text).toContain(`\n.leading dot`)
          expect(text).toMatch(/^Return-Path: <ann@example\.org>\r?\nDelivered-To: ann@example\.org\r?\n/)
          expect(text).toMatch(/^Received: from .*\r?\n(?:\s+.*\r?\n)*?\s+.*with ESMTPSA/m)
          expect(text).toMatch(/^Message-I[dD]: <.+>\r?$/m)
        })

  test('a wrong password is refused by name, and nothing arrives', async () => {
    const ran = await swaks({
      site: { ...site, password: 'wrong' },
      port: running.ports['submission'] ?? 0,
      implicit: false,
      mechanism: 'PLAIN',
      marker: 'never',
    })
    expect(ran.stdout).toContain('535 5.7.8')
    expect(site.messages(user).some(m => m.includes('body of never'))).toBe(false)
  })

  test('a client that does not use TLS is offered no AUTH', async () => {
    const ran = await run('swaks', [
      '--server',
      '127.0.0.1',
      '--port',
      String(running.ports['submission']),
      '--auth',
      'PLAIN',
      '--auth-user',
      user,
      '--auth-password',
      site.password,
      '--from',
      user,
      '--to',
      user,
    ])
    expect(ran.stdout).not.toMatch(/250.AUTH/)
    expect(ran.code).not.toBe(0)
  })

  test('the password is in no log', () => {
    expect(running.output()).not.toContain(site.password)
    expect(running.output()).not.toContain(Buffer.from(site.password).toString('base64'))
    expect(readFileSync(join(site.state, 'users.json'), 'utf8')).not.toContain(site.password)
  })
})
