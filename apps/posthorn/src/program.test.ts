import { CommanderError, type Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { Failure } from './failure.ts'
import { createProgram } from './program.ts'

const leaves = (command: Command, path: string): readonly (readonly [path: string, leaf: Command])[] =>
  command.commands.length === 0
    ? [[path, command]]
    : command.commands.flatMap(sub => leaves(sub, `${path} ${sub.name()}`))

describe('every command', () => {
  for (const [path, leaf] of leaves(createProgram(), 'posthorn'))
    test(`${path} says what it is for and how to call it, and speaks JSON`, () => {
      expect(leaf.description()).not.toBe('')
      const help = leaf.helpInformation()
      expect(help).toContain(`Usage: ${path} `)
      expect(help).toMatch(/--json +machine-readable output/)
      expect(leaf.options.filter(option => option.description === '')).toEqual([])
    })
})

/** What a command line ends with before anything is done, and what it says. */
const refusal = async (args: string): Promise<readonly [exitCode: number, message: string]> => {
  const program = createProgram()
  let said = ''
  const quiet = (command: Command): void => {
    command.configureOutput({ writeErr: text => void (said += text) })
    command.commands.forEach(quiet)
  }
  quiet(program)
  try {
    await program.parseAsync(args.split(' ').filter(Boolean), { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) return [2, said]
    if (error instanceof Failure) return [error.exitCode, error.message]
    throw error
  }
  return [0, said]
}

describe('wrong arguments are refused with 2, and say what is wrong:', () => {
  const wrong: readonly (readonly [args: string, says: RegExp])[] = [
    ['', /Usage: posthorn/],
    ['frobnicate', /unknown command 'frobnicate'/],
    ['queue', /Usage: posthorn queue/],
    ['queue frobnicate', /unknown command 'frobnicate'/],
    ['start --frobnicate', /unknown option '--frobnicate'/],
    ['start now', /too many arguments/],
    ['send --text x', /required option '--to <address...>'/],
    ['send --to nobody --from a@b.example --text x --state /nowhere --server localhost:1', /"nobody" is no recipient/],
    [
      'send --to a@b.example --from a@b.example --text x --state /nowhere --server x',
      /--server takes HOST:PORT, not "x"/,
    ],
    ['send --to a@b.example --text x --state /nowhere', /say who it is from: --from ADDRESS/],
    ['queue show', /missing required argument 'id'/],
    ['queue drop --state /nowhere', /say which: a queue id, a filter, or --all/],
    ['queue hold x! --state /nowhere', /"x!" is neither a queue id nor a term/],
    ['queue list colour:red --state /nowhere', /"colour" is not a field .*site.*origin/],
    ['queue list age>soon --state /nowhere', /"soon" is not an age/],
    ['queue list sender>5 --state /nowhere', /sender can't be compared with >; it takes : or ~/],
    ['queue list rcpt: --state /nowhere', /rcpt: names no value/],
    ['queue list size>big --state /nowhere', /size: "big" is not a whole number/],
    ['queue list --limit none --state /nowhere', /--limit takes a whole number of at least 1, not "none"/],
    ['queue count --by colour --state /nowhere', /"colour" is not a field/],
    ['mail list --state /nowhere', /say which mailbox/],
    ['mail list ../../etc --state /nowhere', /can't be the name of a mailbox/],
    ['mail list a --limit 0 --state /nowhere', /--limit takes a whole number of at least 1, not "0"/],
    ['mail flag a 1 7 --state /nowhere', /flags are letters such as \+S or -F, not "7"/],
  ]
  for (const [args, says] of wrong)
    test(`posthorn ${args}`, async () => {
      const [exitCode, message] = await refusal(args)
      expect(message).toMatch(says)
      expect(exitCode).toBe(2)
    })
})
