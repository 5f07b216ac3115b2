import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Command } from 'commander'
import { addMailCommands } from './mail.ts'

let state: string
let box: string
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'posthorn-mail-'))
  box = join(state, 'mail', 'ann@example.org')
  for (const sub of ['new', 'cur', 'tmp']) mkdirSync(join(box, sub), { recursive: true })
  writeFileSync(join(box, 'cur', '1700000000.1.host:2,FS'), 'Subject: hi\n\nhello\n')
})
afterEach(() => rmSync(state, { recursive: true, force: true }))

const mail = async (...args: readonly string[]): Promise<void> => {
  const program = new Command('posthorn').exitOverride()
  addMailCommands(program)
  await program.parseAsync(['mail', ...args, '--state', state], { from: 'user' })
}

test.each([
  ['-F', 'S'],
  ['+R', 'FRS'],
  ['-FS', ''],
  ['T', 'FST'],
])('mail flag takes %s as flags, although it may look like an option', async (flags, now) => {
  await mail('flag', 'ann@example.org', '1700000000.1.host', flags)
  expect(readdirSync(join(box, 'cur'))).toEqual([`1700000000.1.host:2,${now}`])
})

test('mail flag refuses what is neither an option nor flags', async () => {
  await expect(mail('flag', 'ann@example.org', '1700000000.1.host', '--later')).rejects.toThrow('flags are letters')
  await expect(mail('flag', 'ann@example.org', '1700000000.1.host', '+Q')).rejects.toThrow(
    'not "+Q"; there are D, F, P, R, S and T',
  )
})
