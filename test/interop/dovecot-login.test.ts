import { writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { run, until, type Ran } from '../peers/command.ts'
import { startDovecot, type Dovecot } from '../peers/dovecot.ts'
import { suite } from '../peers/needs.ts'
import { freePort } from '../peers/port.ts'
import type { Running } from '../peers/posthorn.ts'
import { makeSite, type Site } from '../peers/site.ts'
import { swaks } from '../peers/swaks.ts'
import { talk } from '../peers/talk.ts'
import { teardown } from '../peers/teardown.ts'

const ann = 'ann@example.org'
const password = 'correct horse battery'

const undo = teardown()
const start = async (): Promise<Dovecot> =>
  startDovecot({
    imapPort: await freePort(),
    lmtpPort: await freePort(),
    mechanisms: 'plain login scram-sha-256',
    users: { [ann]: { password, maildir: '/nonexistent' } },
  })
const siteFor = (dovecot: string): Promise<Site> =>
  makeSite({ body: `users: { dovecot: ${dovecot} }, mailboxes: ['ann'],` })

suite('users that Dovecot knows', ['dovecot', 'swaks', 'msmtp'], () => {
  let dovecot: Dovecot
  let site: Site
  let running: Running
  beforeAll(async () => {
    dovecot = await start()
    undo(() => dovecot.stop())
    site = await siteFor(JSON.stringify(dovecot.authSocket))
    undo(() => site.remove())
    running = await site.start()
    undo(() => running.stop())
  })

  const bySwaks = (mechanism: 'PLAIN' | 'LOGIN', secret: string, from = ann): Promise<Ran> =>
    swaks({
      port: running.port('submission'),
      from,
      to: ann,
      subject: `dovecot-${mechanism}`,
      tls: 'starttls',
      login: { mechanism, user: ann, password: secret },
    })
  const byMsmtp = (mechanism: string, secret: string): Promise<Ran> => {
    const rc = join(site.dir, 'msmtprc')
    const lines = ['account default', 'host localhost', `port ${running.port('submissions')}`, 'tls on']
    lines.push('tls_starttls off', `tls_trust_file ${site.certificate}`, `auth ${mechanism}`, `user ${ann}`)
    lines.push(`password "${secret}"`, `from ${ann}`)
    writeFileSync(rc, `${lines.join('\n')}\n`, { mode: 0o600 })
    return run('msmtp', ['-C', rc, ann], { input: `From: ${ann}\nTo: ${ann}\nSubject: s\n\nbody of ${mechanism}\n` })
  }

  for (const mechanism of ['PLAIN', 'LOGIN'] as const)
    test(`swaks logs in with ${mechanism}, and not with a wrong password`, async () => {
      const sent = await bySwaks(mechanism, password)
      expect(sent.stdout).toContain('235 2.7.0')
      expect(sent.code).toBe(0)
      await site.arrived('ann', `body of dovecot-${mechanism}`)
      expect((await bySwaks(mechanism, 'wrong')).stdout).toContain('535 5.7.8')
    })
  test('msmtp logs in with SCRAM-SHA-256, which goes through octet by octet, and not with a wrong password', async () => {
    expect(await byMsmtp('scram-sha-256', password)).toMatchObject({ code: 0, stderr: '' })
    await site.arrived('ann', 'body of scram-sha-256')
    expect((await byMsmtp('scram-sha-256', 'wrong')).stderr).toContain('535 5.7.8')
    expect(running.output()).toContain('"mechanism":"SCRAM-SHA-256"')
  })
  test('its mechanisms are offered once it has named them, and a log-in may be broken off', async () => {
    const t = await talk(running.port('submission'))
    await t.say('EHLO client.test')
    await t.secure()
    expect(await t.say('EHLO client.test')).toMatch(/AUTH PLAIN LOGIN SCRAM-SHA-256$/m)
    expect(await t.say('AUTH LOGIN')).toBe('334 VXNlcm5hbWU6')
    expect(await t.say('*')).toBe('501 5.7.0 Authentication cancelled')
    expect(await t.say('AUTH PLAIN')).toBe('334')
    expect(await t.say(Buffer.from(`\0${ann}\0${password}`).toString('base64'))).toMatch(/^235 /)
    t.cut()
  })
  test('a user may send as themselves alone', async () => {
    expect((await bySwaks('PLAIN', password, 'bob@example.org')).stdout).toContain('553 5.7.1')
  })
  test('the command leaves them to Dovecot', async () => {
    const { code, stderr } = await site.posthorn('user', 'add', 'bob@example.org')
    expect(code).toBe(2)
    expect(stderr).toContain('the configuration leaves the users to Dovecot')
  })
  test('row 32: what Dovecot is not meant to read does not reach it', async () => {
    const t = await talk(running.port('submission'))
    await t.say('EHLO client.test')
    await t.secure()
    await t.say('EHLO client.test')
    expect(await t.say('AUTH PLAIN AA==\tresp=AA==')).toMatch(/^50[01] /)
    expect(await t.say(`AUTH PLAIN ${Buffer.from('\0a\0b\0c\0d').toString('base64')}`)).toMatch(/^535 /)
    expect(await t.say('AUTH PLAIN =')).toMatch(/^535 /)
    expect(await t.say('AUTH EXTERNAL =')).toMatch(/^504 /)
    t.cut()
  })
})

/** Stands between us and a port, so that it can go away. */
const gate = async (port: number): Promise<{ readonly port: number; shut(): void; open(): Promise<void> }> => {
  const sockets = new Set<Socket>()
  const server = createServer(near => {
    const far = connect({ port, host: '127.0.0.1' })
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
    }
    near.pipe(far).pipe(near)
  })
  const listen = (at: number): Promise<void> => new Promise(resolve => void server.listen(at, '127.0.0.1', resolve))
  await listen(0)
  const at = (server.address() as AddressInfo).port
  return {
    port: at,
    shut: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
    open: () => listen(at),
  }
}

suite('a Dovecot that goes away', ['dovecot'], () => {
  test('is a failure for now, over TCP too, and is found again when it is back', async () => {
    const dovecot = await start()
    undo(() => dovecot.stop())
    const way = await gate(dovecot.authPort)
    const site = await siteFor(`{ host: '127.0.0.1', port: ${way.port} }`)
    undo(() => site.remove())
    const running = await site.start()
    undo(() => way.shut())
    undo(() => running.stop())
    const login = async (): Promise<string> => {
      const t = await talk(running.port('submission'))
      await t.say('EHLO client.test')
      await t.secure()
      await t.say('EHLO client.test')
      const said = await t.say(`AUTH PLAIN ${Buffer.from(`\0${ann}\0${password}`).toString('base64')}`)
      t.cut()
      return said
    }
    expect(await login()).toMatch(/^235 /)
    way.shut()
    expect(await login()).toBe('454 4.7.0 Temporary authentication failure')
    await until('the event', () => running.output().includes('"what":"Dovecot authentication"') || undefined)
    await way.open()
    expect(await login()).toMatch(/^235 /)
  })
})
