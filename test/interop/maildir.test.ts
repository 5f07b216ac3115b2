import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../peers/command.ts'
import { mailUser, startDovecot, type Dovecot } from '../peers/dovecot.ts'
import { suite } from '../peers/needs.ts'
import { freePort } from '../peers/port.ts'
import type { Running } from '../peers/posthorn.ts'
import { makeSite, type Site } from '../peers/site.ts'

const user = 'ann@example.org'

suite('a Maildir of ours, read by others', ['dovecot', 'python3', 'swaks', 'curl'], () => {
  let site: Site
  let running: Running
  beforeAll(async () => {
    site = await makeSite({ users: [user] })
    running = await site.start()
    for (const n of [1, 2, 3]) {
      const sent = await run('swaks', [
        '--server',
        '127.0.0.1',
        '--port',
        String(running.ports['mx']),
        '--from',
        'bob@sender.test',
        '--to',
        user,
        '--header',
        `Subject: number ${n}`,
        '--body',
        `body ${n}`,
      ])
      expect(sent.code).toBe(0)
      await site.arrived(user, `body ${n}`)
    }
  })
  afterAll(async () => {
    await running.stop()
    site.remove()
  })

  test('Dovecot lists, reads and flags it over IMAP, and our own command sees the flag', async () => {
    const copy = join(site.dir, 'copy')
    cpSync(site.maildir(user), copy, { recursive: true, preserveTimestamps: true })
    await run('chown', ['-R', `${mailUser.uid}:${mailUser.gid}`, copy])
    await run('chmod', ['755', site.dir])
    let dovecot: Dovecot | undefined
    try {
      dovecot = await startDovecot({
        imapPort: await freePort(),
        lmtpPort: await freePort(),
        users: { [user]: { password: 'x', maildir: copy } },
      })
      const imap = (request: string, path = 'INBOX') =>
        run('curl', [
          '-sS',
          '--user',
          `${user}:x`,
          `imap://127.0.0.1:${dovecot?.imapPort}/${path}`,
          ...(request === '' ? [] : ['-X', request]),
        ])
      expect((await imap('STATUS INBOX (MESSAGES UNSEEN)', '')).stdout).toContain('MESSAGES 3 UNSEEN 3')
      const first = await imap('', 'INBOX;MAILINDEX=1')
      expect(first.stdout).toContain('Subject: number 1')
      expect(first.stdout).toContain('body 1')
      expect((await imap('STORE 2 +FLAGS (\\Seen \\Flagged)')).code).toBe(0)
    } finally {
      await dovecot?.stop()
    }
    const listed = await run('python3', [
      '-c',
      `import mailbox,sys\nprint(sorted(m.get_flags() for m in mailbox.Maildir(sys.argv[1], create=False)))`,
      copy,
    ])
    expect(listed.stdout).toContain("'FS'")
  })

  test('mailbox of Python reads every message and its size is in its name', async () => {
    const listed = await run('python3', [
      '-c',
      `
import mailbox, os, re, sys
box = mailbox.Maildir(sys.argv[1], create=False)
print(sorted(m['subject'] for m in box))
for key in box.keys():
    path = os.path.join(sys.argv[1], box._lookup(key))
    assert int(re.search(r',S=(\\d+)', path).group(1)) == os.path.getsize(path), path
print('sizes agree')
`,
      site.maildir(user),
    ])
    expect(listed.stdout).toContain("['number 1', 'number 2', 'number 3']")
    expect(listed.stdout).toContain('sizes agree')
  })
})
