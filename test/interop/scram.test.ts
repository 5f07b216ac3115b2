import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { run, type Ran } from '../peers/command.ts'
import { gsaslLogin } from '../peers/gsasl.ts'
import { suite } from '../peers/needs.ts'
import type { Running } from '../peers/posthorn.ts'
import { makeSite, type Site } from '../peers/site.ts'
import { talk } from '../peers/talk.ts'
import { teardown } from '../peers/teardown.ts'

const user = 'ann@example.org'

// libgsasl, which Python calls, comes with msmtp.
suite('logging in without showing the password', ['msmtp', 'python3'], () => {
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

  /** EHLO under TLS, then what GNU SASL says; `bindTo` tells it what the channel is bound to, given the truth. */
  const gsasl = async (
    mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-256-PLUS',
    password: string,
    bindTo: (truth: Uint8Array) => Uint8Array = truth => truth,
  ): Promise<string> => {
    const t = await talk(running.port('submission'))
    try {
      await t.say('EHLO client.test')
      await t.secure()
      expect(await t.say('EHLO client.test')).toMatch(/AUTH .*SCRAM-SHA-256-PLUS SCRAM-SHA-256\n/)
      // Without PLUS it wants to hear of no binding.
      const binding = mechanism === 'SCRAM-SHA-256' ? {} : { binding: bindTo(t.exporter()) }
      return await gsaslLogin(t, { mechanism, user, password, ...binding })
    } finally {
      t.cut()
    }
  }

  for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS'] as const)
    test(`GNU SASL logs in with ${mechanism}, and not with a wrong password`, async () => {
      expect(await gsasl(mechanism, site.password)).toBe('235 2.7.0 Authentication successful')
      expect(await gsasl(mechanism, 'wrong')).toMatch(/^535 5\.7\.8/)
    })

  test('SCRAM-SHA-256-PLUS bound to another TLS connection is refused', async () => {
    expect(await gsasl('SCRAM-SHA-256-PLUS', site.password, () => new Uint8Array(32))).toMatch(/^535 5\.7\.8/)
  })
})
