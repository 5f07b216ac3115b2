import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { run } from '../peers/command.ts'
import { mailUser, startDovecot, type Dovecot } from '../peers/dovecot.ts'
import { suite } from '../peers/needs.ts'
import { freePort } from '../peers/port.ts'
import { python, pythonMaildir } from '../peers/python.ts'
import { command, makeSite, type Site } from '../peers/site.ts'
import { swaks } from '../peers/swaks.ts'
import { teardown } from '../peers/teardown.ts'

const ann = 'ann@example.org'

/** The messages that our own command prints as JSON, one a line. */
const bySubject = (stdout: string): Readonly<Record<string, Readonly<Record<string, unknown>>>> =>
  Object.fromEntries(
    stdout
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as Record<string, unknown>)
      .map(message => [message['subject'], message]),
  )

suite('a Maildir of ours, read by others', ['dovecot', 'python3', 'swaks', 'curl', 'mutt', 'script'], () => {
  let site: Site
  const undo = teardown()
  beforeAll(async () => {
    site = await makeSite({ users: [ann] })
    undo(() => site.remove())
    const running = await site.start()
    undo(() => running.stop())
    for (const n of [1, 2, 3]) {
      await swaks({ port: running.port('mx'), from: 'bob@sender.test', to: ann, subject: `number-${n}` })
      await site.arrived(ann, `body of number-${n}`)
    }
  })

  test('mailbox of Python reads every message, and its size is in its name', async () => {
    const found = await pythonMaildir(site.maildir(ann))
    expect(found.map(m => m.subject)).toEqual(['number-1', 'number-2', 'number-3'])
    for (const m of found) {
      expect(m).toMatchObject({ subdir: 'new', flags: '', sizeInName: m.size })
      expect(m.body).toContain(`.dot first`)
    }
  })

  test('mutt opens it and shows a message', async () => {
    const [rc, out, box] = [join(site.dir, 'muttrc'), join(site.dir, 'shown'), site.maildir(ann)]
    const settings = `set wait_key=no mark_old=no folder=${box} spoolfile=${box}`
    writeFileSync(rc, `${settings}\npush "<search>number-2<enter><pipe-message>cat >${out}<enter><exit>"\n`)
    // Without a terminal mutt does nothing; script(1) gives it one.
    const mutt = ['-qec', `mutt -n -R -F ${rc} -f ${box}`, '/dev/null']
    const ran = await run('script', mutt, { env: { TERM: 'xterm', HOME: site.dir }, timeoutMs: 20_000 })
    expect(ran).toMatchObject({ code: 0 })
    expect(readFileSync(out, 'utf8')).toMatch(/Subject: number-2.*body of number-2/s)
  })

  test('Dovecot lists, reads, flags and files it over IMAP, and our own command sees what it did', async () => {
    // A copy, since Dovecot must own what it serves. Ours is for its owner alone.
    const state = join(site.dir, 'seen-by-dovecot')
    const copy = join(state, 'mail', ann)
    cpSync(site.maildir(ann), copy, { recursive: true, preserveTimestamps: true })
    await run('chown', ['-R', `${mailUser.uid}:${mailUser.gid}`, copy])
    await run('chmod', ['755', site.dir, state, join(state, 'mail')])
    const dovecot = await startDovecot({
      imapPort: await freePort(),
      lmtpPort: await freePort(),
      users: { [ann]: { password: 'x', maildir: copy } },
    })
    try {
      await readOverImap(dovecot)
    } finally {
      await dovecot.stop()
    }
    const listed = await run(command, ['mail', 'list', ann, '--json', '--config', site.config, '--state', state])
    expect(bySubject(listed.stdout)).toMatchObject({
      'number-1': { flags: 'S', unseen: false },
      'number-2': { flags: 'FS', unseen: false },
    })
    const filed = await pythonMaildir(join(copy, '.Archive'))
    expect(filed.map(m => m.subject)).toEqual(['number-3'])
  })

  const readOverImap = async (dovecot: Dovecot): Promise<void> => {
    const imap = async (path: string, ...request: readonly string[]): Promise<string> => {
      const url = `imap://127.0.0.1:${dovecot.imapPort}/${path}`
      const ran = await run('curl', ['-sS', '--user', `${ann}:x`, url, ...request.flatMap(r => ['-X', r])])
      expect(ran).toMatchObject({ code: 0 })
      return ran.stdout
    }
    expect(await imap('', 'STATUS INBOX (MESSAGES UNSEEN)')).toContain('MESSAGES 3 UNSEEN 3')
    const sizes = (await imap('INBOX', 'FETCH 1:* RFC822.SIZE')).matchAll(/RFC822\.SIZE (\d+)/g)
    const ours = await pythonMaildir(site.maildir(ann))
    expect(new Set([...sizes].map(m => Number(m[1])))).toEqual(new Set(ours.map(m => m.size)))
    expect(await imap('INBOX;MAILINDEX=1')).toMatch(/^Subject: number-1\r\n.*\r\n\.dot first\r\nbody of number-1\r\n/ms)
    await imap('INBOX', 'STORE 2 +FLAGS (\\Seen \\Flagged)')
    await imap('', 'CREATE Archive')
    await imap('INBOX', 'MOVE 3 Archive')
    expect(dovecot.log()).not.toMatch(/\b(?:Error|Warning): (?!.*Killed with signal)/)
  }
})

suite('a Maildir of Python, read by us', ['python3'], () => {
  let site: Site
  const undo = teardown()
  beforeAll(async () => {
    site = await makeSite({ users: [ann] })
    undo(() => site.remove())
    await run('mkdir', ['-p', join(site.state, 'mail')])
    const messages = [
      { subject: 'fresh', body: 'nobody has read this\n', flags: '' },
      { subject: 'starred', body: 'read and flagged\n', flags: 'FS' },
      { subject: 'answered', body: 'read and answered\n', flags: 'RS' },
    ]
    await python('write_maildir', [site.maildir(ann), JSON.stringify(messages)])
  })

  test('mail list shows every message with its flags', async () => {
    const listed = await site.posthorn('mail', 'list', ann, '--json')
    expect(listed).toMatchObject({ code: 0 })
    expect(bySubject(listed.stdout)).toMatchObject({
      answered: { flags: 'RS', unseen: false, from: expect.stringContaining('bob@sender.test') },
      fresh: { flags: '', unseen: true },
      starred: { flags: 'FS', unseen: false },
    })
    const unseen = await site.posthorn('mail', 'list', ann, '--json', '--unseen')
    expect(Object.keys(bySubject(unseen.stdout))).toEqual(['fresh'])
  })

  test('mail show and mail flag leave a Maildir in which Python finds what was done', async () => {
    const { fresh, starred } = bySubject((await site.posthorn('mail', 'list', ann, '--json')).stdout)
    const shown = await site.posthorn('mail', 'show', ann, String(fresh?.['id']), '--json')
    expect(bySubject(shown.stdout)['fresh']).toMatchObject({ text: 'nobody has read this\n' })
    const flagged = await site.posthorn('mail', 'flag', ann, String(starred?.['id']), '-F')
    expect(flagged).toMatchObject({ code: 0 })
    expect((await pythonMaildir(site.maildir(ann))).map(m => [m.subject, m.flags, m.subdir])).toEqual([
      ['answered', 'RS', 'cur'],
      ['fresh', 'S', 'cur'],
      ['starred', 'S', 'cur'],
    ])
    expect(readdirSync(join(site.maildir(ann), 'tmp'))).toEqual([])
  })
})
