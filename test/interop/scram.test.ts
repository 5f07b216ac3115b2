import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { run, type Ran } from '../peers/command.ts'
import { suite } from '../peers/needs.ts'
import type { Running } from '../peers/posthorn.ts'
import { makeSite, type Site } from '../peers/site.ts'
import { teardown } from '../peers/teardown.ts'

const user = 'ann@example.org'

suite('logging in without showing the password', ['msmtp'], () => {
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
})
