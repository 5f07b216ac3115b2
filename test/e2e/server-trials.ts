import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { composeMessage, submitMessage, SubmitError } from '@posthorn/mua'
import { until } from '../peers/command.ts'

/** A server of a document, as a file in a directory of its own. */
export interface Trial {
  readonly file: string
  readonly directory: string
  /** Options that let Node run our sources. */
  readonly node: readonly string[]
}

/** Run it, wait until it says where it listens, use it, and tell it to stop; with which code it ended then. */
const during = async (
  { file, directory, node }: Trial,
  use: (port: number) => Promise<void>,
): Promise<number | null> => {
  const child = spawn(process.execPath, [...node, file], { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stdout.on('data', chunk => (said += String(chunk)))
  child.stderr.on('data', chunk => (said += String(chunk)))
  const ended = new Promise<number | null>(resolve => child.once('exit', resolve))
  try {
    const port = await until(`${file} listens`, () => {
      if (child.exitCode !== null) throw new Error(`${file} ended: ${said}`)
      const [, digits] = /listening on .*?port: (\d+)/.exec(said) ?? []
      return digits === undefined ? undefined : Number(digits)
    })
    await use(port)
    child.kill('SIGTERM')
    return await ended
  } finally {
    child.kill('SIGKILL')
  }
}

const submit = async (from: string, to: string, port: number): Promise<string> => {
  const message = await composeMessage({ from, to: [to], subject: 'A trial', text: 'Hello.\n' })
  try {
    return (await submitMessage(message, { host: '127.0.0.1', port, tls: 'none' })).reply
  } catch (error) {
    if (error instanceof SubmitError) return error.message
    throw error
  }
}

const delivered = (directory: string, mailbox: string): Promise<string> =>
  until(`mail for ${mailbox}`, () => {
    try {
      return readdirSync(join(directory, mailbox, 'new'))[0]
    } catch {
      return undefined
    }
  })

/** What each server of the documents must do when it is used; its exit code after that. */
export const serverTrials: Readonly<Record<string, (trial: Trial) => Promise<number | null>>> = {
  'my-stack.ts': trial =>
    during(trial, async port => {
      expect(await submit('carol@elsewhere.example', 'ann@example.org', port)).toMatch(/250 2\.0\.0 Ok: queued as/)
      expect(await submit('carol@spam.example', 'ann@example.org', port)).toContain('No mail from spam.example')
      expect(await submit('carol@elsewhere.example', 'dave@elsewhere.example', port)).toContain('5.7.1')
      expect(await submit('carol@elsewhere.example', 'nobody@example.org', port)).toContain('5.1.1')
      await delivered(join(trial.directory, 'my-stack/mail'), 'ann')
    }),
}
