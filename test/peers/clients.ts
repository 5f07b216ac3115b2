import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createTransport } from 'nodemailer'
import { run, type Ran } from './command.ts'
import { pythonSubmit } from './python.ts'
import { swaks } from './swaks.ts'

/** One submission to a server on loopback, by a user to the same user. The body is a line that begins with a dot, then `body of <subject>`. */
interface Submission {
  readonly port: number
  readonly tls: 'starttls' | 'implicit'
  readonly mechanism: 'PLAIN' | 'LOGIN'
  readonly user: string
  readonly password: string
  /** PEM file to trust. */
  readonly certificate: string
  readonly subject: string
  /** Where a configuration file may be written. */
  readonly dir: string
}

/** Submits; rejects with what the program said when it did not succeed. */
type SubmissionClient = (s: Submission) => Promise<void>

const succeeded = (ran: Ran): void => {
  if (ran.code !== 0) throw new Error(`exit ${ran.code}: ${ran.stdout}${ran.stderr}`)
}

const body = (s: Submission): string => `.leading dot\nbody of ${s.subject}\n`
const message = (s: Submission): string =>
  `From: ${s.user}\nTo: ${s.user}\nSubject: ${s.subject}\n\n${body(s)}`.replaceAll('\n', '\r\n')

const withSwaks: SubmissionClient = async s =>
  succeeded(await swaks({ ...s, from: s.user, to: s.user, body: body(s).trimEnd(), login: s }))

const withMsmtp: SubmissionClient = async s => {
  const rc = join(s.dir, 'msmtprc')
  const lines = [
    'account default',
    'host localhost',
    `port ${s.port}`,
    'tls on',
    `tls_starttls ${s.tls === 'implicit' ? 'off' : 'on'}`,
    `tls_trust_file ${s.certificate}`,
    `auth ${s.mechanism.toLowerCase()}`,
    `user ${s.user}`,
    `password ${s.password}`,
    `from ${s.user}`,
  ]
  writeFileSync(rc, `${lines.join('\n')}\n`, { mode: 0o600 })
  succeeded(await run('msmtp', ['-C', rc, s.user], { input: message(s).replaceAll('\r\n', '\n') }))
}

const withCurl: SubmissionClient = async s => {
  const login = ['--user', `${s.user}:${s.password}`, '--login-options', `AUTH=${s.mechanism}`]
  const mail = ['--mail-from', s.user, '--mail-auth', s.user, '--mail-rcpt', s.user, '--upload-file', '-']
  const server = s.tls === 'implicit' ? [`smtps://localhost:${s.port}`] : ['--ssl-reqd', `smtp://localhost:${s.port}`]
  succeeded(await run('curl', ['-sS', '--cacert', s.certificate, ...login, ...mail, ...server], { input: message(s) }))
}

const withMutt: SubmissionClient = async s => {
  const rc = join(s.dir, 'muttrc')
  const scheme = s.tls === 'implicit' ? 'smtps' : 'smtp'
  const lines = [
    `set smtp_url="${scheme}://${encodeURIComponent(s.user)}@localhost:${s.port}/"`,
    `set smtp_pass="${s.password}"`,
    `set smtp_authenticators="${s.mechanism.toLowerCase()}"`,
    `set from="${s.user}" use_envelope_from=yes copy=no`,
    `set ssl_force_tls=yes ssl_ca_certificates_file="${s.certificate}" certificate_file="${s.certificate}"`,
    'set ssl_usesystemcerts=no',
  ]
  writeFileSync(rc, `${lines.join('\n')}\n`, { mode: 0o600 })
  const env = { TERM: 'dumb', HOME: s.dir }
  succeeded(await run('mutt', ['-F', rc, '-s', s.subject, '--', s.user], { input: body(s), env }))
}

const withPython: SubmissionClient = async s => {
  const refused = await pythonSubmit({ ...s, from: s.user, to: [s.user], message: message(s) })
  if (Object.keys(refused).length > 0) throw new Error(JSON.stringify(refused))
}

const withNodemailer: SubmissionClient = async s => {
  const client = createTransport({
    host: 'localhost',
    port: s.port,
    secure: s.tls === 'implicit',
    requireTLS: true,
    tls: { ca: readFileSync(s.certificate) },
    auth: { user: s.user, pass: s.password },
    authMethod: s.mechanism,
  })
  try {
    await client.sendMail({ from: s.user, to: s.user, subject: s.subject, text: body(s) })
  } finally {
    client.close()
  }
}

/** The clients that people use, by name. */
export const submissionClients: Readonly<Record<string, SubmissionClient>> = {
  swaks: withSwaks,
  msmtp: withMsmtp,
  curl: withCurl,
  mutt: withMutt,
  'smtplib of Python': withPython,
  nodemailer: withNodemailer,
}
