import { Command, CommanderError } from 'commander'
import { check } from './check.ts'
import { addDemoCommand } from './demo.ts'
import { Failure } from './failure.ts'
import { addMailCommands } from './mail.ts'
import { addQueueCommands } from './queue.ts'
import { send } from './send.ts'
import { start } from './start.ts'
import { withState } from './state-option.ts'
import { addUserCommands } from './user.ts'
import { version } from './version.ts'

const program = new Command('posthorn')
  .description('A mail system: submission, transfer and delivery, with a durable queue and a policy chain.')
  .version(version)
  .showHelpAfterError('(--help says more)')
  .configureHelp({ showGlobalOptions: true })
  .exitOverride()

withState(program.command('start'))
  .description('run the mail system; without --config in development mode, on loopback')
  .option('--send', 'development mode: let mail for other domains leave this machine')
  .option('--any-port', 'development mode: take whatever ports are free')
  .action(start)
withState(program.command('check')).description('check the configuration and say what it will do').action(check)
withState(program.command('send'))
  .description('compose a message and submit it')
  .requiredOption('--to <address...>', 'recipients')
  .option('--from <address>', 'sender; the user who logs in')
  .option('--cc <address...>', 'recipients of copies')
  .option('--bcc <address...>', 'recipients nobody sees')
  .option('--subject <text>', 'subject', '')
  .option('--text <text>', 'text; standard input when absent')
  .option('--attach <file...>', 'files to attach')
  .option('--server <host:port>', 'submission server; the one running on the state directory when absent')
  .option('--implicit-tls', 'TLS from the start, as on port 465')
  .option('--ca <file>', 'certificate (PEM) to trust, for a server with one of its own making')
  .option('--user <name>', 'who logs in')
  .option('--password-file <file>', 'the password; else from POSTHORN_PASSWORD')
  .action(send)
addMailCommands(program)
addQueueCommands(program)
addUserCommands(program)
addDemoCommand(program)

try {
  await program.parseAsync()
  process.exitCode ??= 0
} catch (error) {
  // It has said already what is wrong with the arguments, or shown the help that was asked for.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else if (error instanceof Failure) {
    process.stderr.write(`posthorn: ${error.message}\n`)
    process.exitCode = error.exitCode
  } else {
    process.stderr.write(`posthorn: ${explain(error)}\n`)
    process.exitCode = 1
  }
}

/** What the person can put right, in one line; a fault of ours with its stack. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const known =
    'code' in error || ['StackError', 'StoreError', 'UsersError', 'ConfigError', 'MaildirError'].includes(error.name)
  return known ? error.message : (error.stack ?? error.message)
}
