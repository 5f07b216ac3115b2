import { fileURLToPath } from 'node:url'
import { run } from './command.ts'

/** Run one of the scripts beside this file under `python/`; what it prints, parsed. Rejects with its traceback when it fails. */
export const python = async <T>(
  script: 'submit' | 'read_report' | 'read_maildir' | 'write_maildir',
  args: readonly string[],
  input?: string,
): Promise<T> => {
  const file = fileURLToPath(new URL(`python/${script}.py`, import.meta.url))
  const ran = await run('python3', [file, ...args], input === undefined ? {} : { input })
  if (ran.code !== 0) throw new Error(`${script}.py failed: ${ran.stderr}`)
  return (ran.stdout === '' ? undefined : JSON.parse(ran.stdout)) as T
}

/** What is submitted. Everything is sent as one message to all recipients, with the same options. */
export interface PythonMail {
  readonly port: number
  readonly from: string
  readonly to: readonly string[]
  readonly message: string
  readonly tls?: 'starttls' | 'implicit'
  /** PEM file to trust. */
  readonly certificate?: string
  readonly mechanism?: 'PLAIN' | 'LOGIN'
  readonly user?: string
  readonly password?: string
  /** Such as `RET=HDRS`. */
  readonly mailOptions?: readonly string[]
  /** Such as `NOTIFY=SUCCESS`. */
  readonly rcptOptions?: readonly string[]
}

/** Submit with Python's smtplib; says which recipients were refused. */
export const pythonSubmit = (mail: PythonMail): Promise<Readonly<Record<string, readonly [number, string]>>> =>
  python('submit', [], JSON.stringify(mail))

/** A delivery report as Python's email package reads it. */
export interface PythonReport {
  readonly defects: readonly string[]
  readonly type: string
  readonly reportType: string
  readonly from: string
  readonly to: string
  readonly subject: string
  /** Seconds since 1970. */
  readonly date: number
  readonly autoSubmitted: string | null
  readonly returnPath: string | null
  readonly parts: readonly string[]
  readonly text: string
  /** The fields of the message, then those of each recipient, names in lower case. */
  readonly status: readonly Readonly<Record<string, string>>[]
  /** The third part with its own head. */
  readonly original: string
}

export const pythonReport = (message: string): Promise<PythonReport> => python('read_report', [], message)

/** A message as Python's mailbox module reads it from a Maildir. */
export interface PythonMessage {
  readonly subject: string
  readonly body: string
  readonly flags: string
  readonly subdir: 'new' | 'cur'
  readonly size: number
  readonly sizeInName: number | null
}

export const pythonMaildir = (path: string): Promise<readonly PythonMessage[]> => python('read_maildir', [path])
