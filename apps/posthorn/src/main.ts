import { CommanderError } from 'commander'
import { Failure } from './failure.ts'
import { createProgram } from './program.ts'

try {
  await createProgram().parseAsync()
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
