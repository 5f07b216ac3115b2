import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run, until, type Ran } from './command.ts'
import { maildirMessages } from './maildir.ts'
import { startPosthorn, type Running } from './posthorn.ts'
import { pythonSubmit, type PythonMail } from './python.ts'

/** The command as it is installed. */
export const command: string = fileURLToPath(new URL('../../apps/posthorn/bin/posthorn.js', import.meta.url))

/** A message without the server that it goes to. */
export type Submission = Pick<PythonMail, 'to' | 'message' | 'mailOptions' | 'rcptOptions'>

/** A Posthorn for example.org with a configuration, users and a state directory of its own. */
export interface Site {
  readonly dir: string
  readonly state: string
  readonly config: string
  /** The PEM file of its self-signed certificate, once it has been started. */
  readonly certificate: string
  /** The key of that certificate. */
  readonly key: string
  readonly password: string
  start(env?: NodeJS.ProcessEnv): Promise<Running>
  posthorn(...args: readonly string[]): Promise<Ran>
  /** Submit by Python's smtplib over STARTTLS as one of its users; says who was refused. */
  submit(running: Running, user: string, mail: Submission): ReturnType<typeof pythonSubmit>
  maildir(mailbox: string): string
  /** The messages that have arrived in a mailbox. */
  messages(mailbox: string): readonly string[]
  /** Wait for a message that holds this text. */
  arrived(mailbox: string, text: string, timeoutMs?: number): Promise<string>
  /** Wait until nothing is in the queue of the running server. */
  drained(): Promise<void>
  remove(): void
}

const secret = 'correct horse battery'

/** Make one. `body` is what stands in `defineConfig({…})` besides hostname and listeners. */
export const makeSite = async (
  o: { readonly body?: string; readonly users?: readonly string[]; readonly head?: string } = {},
): Promise<Site> => {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-site-'))
  const state = join(dir, 'var')
  const config = join(dir, 'posthorn.config.ts')
  const port0 = `{ host: '127.0.0.1', port: 0 }`
  writeFileSync(
    config,
    `import { defineConfig } from '@posthorn/stack'
${o.head ?? ''}
export default defineConfig({
  hostname: 'mx.example.org',
  domains: ['example.org'],
  listeners: { mx: ${port0}, submission: ${port0}, submissions: ${port0}, lmtp: ${port0} },
  ${o.body ?? ''}
})
`,
  )
  const posthorn = (...args: readonly string[]): Promise<Ran> =>
    run(command, [...args, '--config', config, '--state', state], { env: { POSTHORN_PASSWORD: secret } })
  for (const user of o.users ?? []) {
    const added = await posthorn('user', 'add', user)
    if (added.code !== 0) throw new Error(`user add failed: ${added.stderr}`)
  }
  const maildir = (mailbox: string): string => join(state, 'mail', mailbox)
  const messages = (mailbox: string): readonly string[] => maildirMessages(maildir(mailbox))
  mkdirSync(state, { recursive: true, mode: 0o700 })
  return {
    dir,
    state,
    config,
    certificate: join(state, 'tls', 'self-signed.crt'),
    key: join(state, 'tls', 'self-signed.key'),
    password: secret,
    start: (env = {}) => startPosthorn(['start', '--json', '--config', config, '--state', state], { env }),
    posthorn,
    submit: (running, user, mail) =>
      pythonSubmit({
        port: running.port('submission'),
        tls: 'starttls',
        certificate: join(state, 'tls', 'self-signed.crt'),
        mechanism: 'PLAIN',
        user,
        password: secret,
        from: user,
        ...mail,
      }),
    maildir,
    messages,
    arrived: (mailbox, text, timeoutMs) =>
      until(
        `a message with ${JSON.stringify(text)} for ${mailbox}`,
        () => messages(mailbox).find(m => m.includes(text)),
        timeoutMs,
      ),
    drained: async () => {
      await until('an empty queue', async () => {
        const listed = await posthorn('queue', 'list', '--json')
        return (listed.code === 0 && listed.stdout.trim() === '') || undefined
      })
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  }
}
