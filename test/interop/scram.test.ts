import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { run, type Ran } from '../peers/command.ts'
import { gsaslLogin, gsaslLoginIntercepted } from '../peers/gsasl.ts'
import { suite } from '../peers/needs.ts'
import type { Running } from '../peers/posthorn.ts'
import { makeSite, type Site } from '../peers/site.ts'
import { teardown } from '../peers/teardown.ts'

const user = 'ann@example.org'

suite('logging in without showing the password', ['msmtp', 'gsasl'], () => {
  let site: Site
  let running: Running
  const undo = teardown()
  beforeAll(async () => {
    site = await makeSite({ users: [user] })
    undo(() => site.remove())
    running = await site.start()
    undo(() => running.stop())
  })

  const msmtp = (service: 'submission' | 'submissions', password: string, subject: string): Promise<Ran> => {
    const rc = join(site.dir, `msmtprc-${service}`)
    const lines = [
      'account default',
      'host localhost',
      `port ${running.port(service)}`,
      'tls on',
      `tls_starttls ${service === 'submissions' ? 'off' : 'on'}`,
      `tls_trust_file ${site.certificate}`,
      'auth scram-sha-256',
      `user ${user}`,
      `password "${password}"`,
      `from ${user}`,
    ]
    writeFileSync(rc, `${lines.join('\n')}\n`, { mode: 0o600 })
    const input = `From: ${user}\nTo: ${user}\nSubject: ${subject}\n\nbody of ${subject}\n`
    return run('msmtp', ['-C', rc, user], { input })
  }

  for (const service of ['submission', 'submissions'] as const)
    test(`msmtp submits to ${service} with SCRAM-SHA-256`, async () => {
      const ran = await msmtp(service, site.password, `scram-${service}`)
      expect(ran.stderr).toBe('')
      expect(ran.code).toBe(0)
      await site.arrived(user, `body of scram-${service}`)
    })

  test('msmtp is refused with a wrong password', async () => {
    const ran = await msmtp('submission', 'wrong', 'never')
    expect(ran.code).not.toBe(0)
    expect(ran.stderr).toContain('535 5.7.8')
  })

  for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS'] as const)
    test(`GNU SASL logs in with ${mechanism}, and not with a wrong password`, async () => {
      const login = { mechanism, user, ca: site.certificate }
      const right = await gsaslLogin(running.port('submission'), { ...login, password: site.password })
      expect(right.said).toContain(`\nAUTH ${mechanism}\n`)
      expect(right.said).toContain('\n235 2.7.0 Authentication successful\r\n')
      expect(right).toMatchObject({ trusted: true })
      const wrong = await gsaslLogin(running.port('submission'), { ...login, password: 'wrong' })
      expect(wrong.said).toMatch(/\n535 5\.7\.8 .*\r\n$/)
      expect(wrong.trusted).toBe(false)
    })

  test('a man in the middle cannot use SCRAM-SHA-256-PLUS, which is bound to the TLS connection', async () => {
    const login = { user, password: site.password }
    const without = await gsaslLoginIntercepted(running.port('submissions'), { ...login, mechanism: 'SCRAM-SHA-256' })
    expect(without.said).toContain('\n235 2.7.0')
    const bound = await gsaslLoginIntercepted(running.port('submissions'), {
      ...login,
      mechanism: 'SCRAM-SHA-256-PLUS',
    })
    expect(bound.said).toMatch(/\nAUTH SCRAM-SHA-256-PLUS\n[^]*\n535 5\.7\.8 .*\r\n$/)
  })
})
