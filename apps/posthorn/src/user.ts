import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import type { Command } from 'commander'
import { openUsers, type Users } from '@posthorn/msa'
import { systemClock, systemRandom } from '@posthorn/system'
import { Failure } from './failure.ts'
import { refuseForeignState } from './own-state.ts'
import { readText } from './read-text.ts'
import { loadSettings } from './settings.ts'
import { type StateOptions, withState } from './state-option.ts'
import { terminal } from './terminal.ts'

interface PasswordOptions extends StateOptions {
  readonly passwordFile?: string
  readonly generate?: boolean
}

const usersOf = async (o: StateOptions): Promise<Users> => {
  const { config, state } = await loadSettings(o)
  if (typeof config.users !== 'string')
    throw new Failure('the configuration leaves the users to Dovecot (users.dovecot); add and change them there', 2)
  refuseForeignState(state)
  mkdirSync(state, { recursive: true, mode: 0o700 })
  return openUsers(join(state, config.users), { clock: systemClock, random: systemRandom })
}

/** A password from a file (`-` is standard input), the environment, chance, or the keyboard. */
const passwordFrom = async (o: PasswordOptions): Promise<{ readonly password: string; readonly made: boolean }> => {
  if (o.generate === true) return { password: randomBytes(12).toString('base64url'), made: true }
  if (o.passwordFile !== undefined)
    return {
      password: readText('the password', o.passwordFile === '-' ? 0 : o.passwordFile).replace(/\r?\n$/, ''),
      made: false,
    }
  const fromEnvironment = process.env['POSTHORN_PASSWORD']
  if (fromEnvironment !== undefined) return { password: fromEnvironment, made: false }
  if (!process.stdin.isTTY)
    throw new Failure('no password: use --generate, --password-file FILE (- is standard input) or POSTHORN_PASSWORD', 2)
  process.stderr.write('Password: ')
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const keyboard = createInterface({ input: process.stdin, output: silent, terminal: true })
  const password = await keyboard.question('')
  keyboard.close()
  process.stderr.write('\n')
  return { password, made: false }
}

const told = (o: StateOptions, what: string, name: string, made?: string): void => {
  const out = terminal(o.json === true)
  out.value({ [what]: name, ...(made === undefined ? {} : { password: made }) })
  out.line(`${what} ${name}${made === undefined ? '' : `   password ${made}`}`)
}

/** A refusal by the users' file is for the person, not a fault of ours. */
const refusable = async <t>(work: () => Promise<t>): Promise<t> => {
  try {
    return await work()
  } catch (error) {
    throw new Failure(error instanceof Error ? error.message : String(error))
  }
}

/** `posthorn user …`. A running server sees the change within a second. */
export const addUserCommands = (program: Command): void => {
  const user = program.command('user').description('who may log in and send')
  const withPassword = (command: Command): Command =>
    withState(command)
      .option('--password-file <file>', 'read the password there; - is standard input')
      .option('--generate', 'make a password and print it')

  withPassword(user.command('add <name>'))
    .description('add a user, such as ann@example.org, with a mailbox of that name')
    .option('--send-as <address...>', 'further addresses this user may send as; *@example.org for a whole domain')
    .action(async (name: string, o: PasswordOptions & { readonly sendAs?: readonly string[] }) => {
      const users = await usersOf(o)
      const { password, made } = await passwordFrom(o)
      await refusable(() => users.add({ name, password, ...(o.sendAs === undefined ? {} : { addresses: o.sendAs }) }))
      told(o, 'added', name, made ? password : undefined)
      if (users.find(name)?.addresses.length === 0)
        terminal(o.json === true).line(
          `It is no address, so ${name} may send as nobody: --send-as ADDRESS says as whom.`,
        )
    })
  withPassword(user.command('passwd <name>'))
    .description("change a user's password")
    .action(async (name: string, o: PasswordOptions) => {
      const users = await usersOf(o)
      const { password, made } = await passwordFrom(o)
      await refusable(() => users.setPassword(name, password))
      told(o, 'changed', name, made ? password : undefined)
    })
  withState(user.command('remove <name>'))
    .description('remove a user; the mailbox stays')
    .action(async (name: string, o: StateOptions) => {
      const users = await usersOf(o)
      if (!(await refusable(() => users.remove(name)))) throw new Failure(`there is no user ${name}`)
      told(o, 'removed', name)
    })
  withState(user.command('list'))
    .description('list the users')
    .action(async (o: StateOptions) => {
      const out = terminal(o.json === true)
      const all = (await usersOf(o)).list()
      for (const u of all) out.value(u)
      if (all.length === 0) out.line('No users yet: posthorn user add ann@example.org')
      else
        out.table(
          ['USER', 'MAY SEND AS'],
          all.map(u => [u.name, u.addresses.join(', ') || 'nobody']),
        )
    })
}
