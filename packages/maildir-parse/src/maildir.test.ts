import { mkdir, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { faultyFiles, scratch } from '../test/scratch.ts'
import { createMaildir, mailboxPath, openMaildir } from './maildir.ts'

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777

describe('making and opening', () => {
  test('a Maildir is made with its parents, for the owner alone', async () => {
    const path = join(await scratch(), 'a', 'b')
    await createMaildir(path)
    for (const part of ['..', '.', 'tmp', 'new', 'cur']) expect(await modeOf(join(path, part))).toBe(0o700)
    expect((await openMaildir(path)).path).toBe(path)
  })

  test('making one that exists opens it', async () => {
    const path = join(await scratch(), 'm')
    await createMaildir(path)
    await expect(createMaildir(path)).resolves.toMatchObject({ path })
  })

  test('new directories are synced into their parents, from the first that was missing', async () => {
    const files = faultyFiles('sync', 'EIO', 99)
    const path = join(await scratch(), 'a', 'b')
    await createMaildir(path, { files })
    // The scratch directory for `a`, `a` for `b`, `b` for its three.
    expect(files.calls.filter(call => call === 'sync')).toHaveLength(3)
    files.calls.length = 0
    await createMaildir(path, { files })
    expect(files.calls).toEqual([])
  })

  test('opening what is not there says gone', async () => {
    const root = await scratch()
    await expect(openMaildir(join(root, 'none'))).rejects.toMatchObject({ name: 'MaildirError', fault: 'gone' })
    await mkdir(join(root, 'new'))
    await expect(openMaildir(root)).rejects.toMatchObject({ fault: 'gone' })
  })

  test.each(['tmp', 'new', 'cur'])('a Maildir whose %s is a link to elsewhere is refused', async part => {
    const root = await scratch()
    await createMaildir(join(root, 'elsewhere'))
    await mkdir(join(root, 'm'))
    await symlink(join(root, 'elsewhere', 'cur'), join(root, 'm', part))
    await expect(createMaildir(join(root, 'm'))).rejects.toMatchObject({ fault: 'invalid' })
    await expect(openMaildir(join(root, 'm'))).rejects.toMatchObject({ name: 'MaildirError' })
  })

  test('a Maildir that is itself a link is refused', async () => {
    const root = await scratch()
    await createMaildir(join(root, 'real'))
    await symlink(join(root, 'real'), join(root, 'link'))
    await expect(openMaildir(join(root, 'link'))).rejects.toMatchObject({ fault: 'invalid' })
  })

  test('a file in place of a directory is refused', async () => {
    const root = await scratch()
    await writeFile(join(root, 'm'), '')
    await expect(createMaildir(join(root, 'm'))).rejects.toMatchObject({ fault: 'invalid' })
  })
})

describe('the path of a mailbox', () => {
  test.each(['bob', 'bob.smith', 'bob@example.org', 'x_y-z+w', 'Jürgen', '用户', '7'])(
    '%j is a directory of its own',
    name => {
      expect(mailboxPath('/var/mail', name)).toBe(`/var/mail/${name}`)
    },
  )

  test.each([
    ['row 33', ''],
    ['row 33', ';sleep 5;'],
    ['row 33', '<>'],
    ['row 34', 'a"b c'],
    ['row 34', '\r\nRCPT'],
    ['row 34', 'x'.repeat(201)],
    ['row 35', '${run{/bin/id}}'],
    ['row 35', '$(id)'],
    ['row 35', '`id`'],
    ['row 35', '|prog'],
    ['row 35', '/etc/passwd'],
    ['row 35', ':include:/x'],
    ['row 35', '-oQ/tmp'],
    ['row 35', '../..'],
    ['row 35', '..'],
    ['row 35', '.'],
    ['row 35', '.hidden'],
    ['row 35', '%00'],
    ['row 35', 'a\0b'],
    ['row 35', "' UNION SELECT"],
    ['row 35', 'a\\b'],
    ['row 37', 'ju\u0308rgen'],
    ['row 37', 'a\u202eb'],
    ['row 37', '\ud800'],
  ])('%s: %j is refused as the name of a mailbox', (_row, name) => {
    expect(mailboxPath('/var/mail', name)).toBeUndefined()
  })
})
