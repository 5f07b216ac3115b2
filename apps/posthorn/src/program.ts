import { Command, InvalidArgumentError } from 'commander'
import { check } from './check.ts'
import { addDemoCommand } from './demo.ts'
import { addMailCommands } from './mail.ts'
import { addQueueCommands } from './queue.ts'
import { send } from './send.ts'
import { start } from './start.ts'
import { withState } from './state-option.ts'
import { addUserCommands } from './user.ts'
import { version } from './version.ts'

/** As the configuration's `workers`. */
const workerCount = (text: string): number => {
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (count < 1 || count > 64) throw new InvalidArgumentError('It must be a number from 1 to 64.')
  return count
}

/** The command line: every command with its options. Parsing it rejects with CommanderError or Failure instead of ending the process. */
export const createProgram = (): Command => {
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
    .option('--workers <n>', "processes that take mail in and deliver it; the configuration's, or 1", workerCount)
    .action(start)
  withState(program.command('check'))
    .description('check the configuration and say what it will do')
    .option('--classify <reply>', 'say instead what class of bounce a reply is, such as "550 5.1.1 user unknown"')
    .option('--from <host>', 'the host that said it, for rules about providers')
    .action(check)
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
  return program
}
