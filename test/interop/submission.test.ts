import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { submissionClients } from '../peers/clients.ts'
import { suite } from '../peers/needs.ts'
import type { Running } from '../peers/posthorn.ts'
import { makeSite, type Site } from '../peers/site.ts'
import { swaks } from '../peers/swaks.ts'
import { teardown } from '../peers/teardown.ts'

const user = 'ann@example.org'

suite('submission by the clients people use', ['swaks', 'msmtp', 'curl', 'mutt', 'python3'], () => {
  let site: Site
  let running: Running
  const undo = teardown()
  beforeAll(async () => {
    site = await makeSite({ users: [user] })
    undo(() => site.remove())
    running = await site.start()
    undo(() => running.stop())
  })

  for (const [name, submit] of Object.entries(submissionClients))
    for (const service of ['submission', 'submissions'] as const)
      for (const mechanism of ['PLAIN', 'LOGIN'] as const)
        test(`${name} submits to ${service} with AUTH ${mechanism}, and the message arrives whole`, async () => {
          const subject = `${name.split(' ')[0]}-${service}-${mechanism}`
          const tls = service === 'submission' ? 'starttls' : 'implicit'
          const { dir, certificate, password } = site
          await submit({ port: running.port(service), tls, mechanism, user, password, certificate, subject, dir })
          const text = await site.arrived(user, `body of ${subject}`)
          expect(text).toMatch(/\r\n\r\n\.leading dot\r\n/)
          expect(text).toMatch(/^Return-Path: <ann@example\.org>\r\nDelivered-To: ann@example\.org\r\nReceived: /)
          expect(text).toMatch(
            /^Received: from \S+ \(\[127\.0\.0\.1\]\)\r\n\tby mx\.example\.org .*with ESMTPSA id \w+\r\n/m,
          )
          expect(text).toMatch(/^\tfor <ann@example\.org>\r\n\ttls TLS_\w+ \(TLSv1\.3\);\r\n/m)
          expect(text.match(/^Message-ID: <.+>\r$/gim)).toHaveLength(1)
          expect(text.match(/^Date: /gm)).toHaveLength(1)
        })

  const login = { mechanism: 'PLAIN', user, password: 'wrong' } as const
  const mail = { from: user, to: user, subject: 'never' } as const

  test('a wrong password is refused by name, and nothing arrives', async () => {
    const ran = await swaks({ ...mail, port: running.port('submission'), tls: 'starttls', login })
    expect(ran.stdout).toContain('535 5.7.8')
    expect(site.messages(user).some(m => m.includes('body of never'))).toBe(false)
  })

  test('a client that does not use TLS is offered no AUTH', async () => {
    const ran = await swaks({ ...mail, port: running.port('submission'), login: { ...login, password: site.password } })
    expect(ran.stdout).toMatch(/250.STARTTLS/)
    expect(ran.stdout).not.toMatch(/250.AUTH/)
    expect(ran.code).not.toBe(0)
  })

  test('a client that does not log in may send nothing, not even to us', async () => {
    const ran = await swaks({ ...mail, port: running.port('submission'), tls: 'starttls' })
    expect(ran.stdout).toContain('530 5.7.0')
  })

  test('a client that writes in the name of another is refused', async () => {
    const right = { ...login, password: site.password }
    const other = { ...mail, from: 'bob@example.org', port: running.port('submission'), login: right }
    const ran = await swaks({ ...other, tls: 'starttls' })
    expect(ran.stdout).toMatch(/55[03] 5\.7\.1/)
  })

  test('SIGTERM ends it in good order', async () => {
    expect(await running.stop()).toBe(0)
  })

  test('the password is in no log', () => {
    expect(running.output()).not.toContain(site.password)
    expect(running.output()).not.toContain(Buffer.from(site.password).toString('base64'))
    expect(readFileSync(join(site.state, 'users.json'), 'utf8')).not.toContain(site.password)
  })
})
