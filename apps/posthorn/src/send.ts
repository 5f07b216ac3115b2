import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { composeMessage, SubmitError, submitMessage, type SubmissionServer } from '@posthorn/mua'
import { readDevelopmentUser } from './development-user.ts'
import { Failure } from './failure.ts'
import { readRunning } from './running.ts'
import { stateOf, type StateOptions } from './state-option.ts'
import { printable, terminal } from './terminal.ts'

export interface SendOptions extends StateOptions {
  readonly to: readonly string[]
  readonly from?: string
  readonly cc?: readonly string[]
  readonly bcc?: readonly string[]
  readonly subject: string
  readonly text?: string
  readonly attach?: readonly string[]
  readonly server?: string
  readonly implicitTls?: boolean
  readonly ca?: string
  readonly user?: string
  readonly passwordFile?: string
}

const readFile = (what: string, file: string | number): Buffer => {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new Failure(`${what} can't be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Who logs in, and with what: as the options say, or the user of development mode. */
const login = (o: SendOptions, state: string): { readonly user?: string; readonly password?: string } => {
  const development = readDevelopmentUser(state)
  const user = o.user ?? development?.name
  if (user === undefined) return {}
  const password =
    o.passwordFile === undefined
      ? (process.env['POSTHORN_PASSWORD'] ?? (development?.name === user ? development.password : undefined))
      : readFile('the password', o.passwordFile)
          .toString('utf8')
          .replace(/\r?\n$/, '')
  if (password === undefined)
    throw new Failure(`no password for ${user}: use --password-file FILE or POSTHORN_PASSWORD`, 2)
  return { user, password }
}

/**
 * The server that the options name, or the one that runs on the state directory: a certificate that it signed for itself is then
 * trusted, and one of the configuration must bear its host name.
 */
const serverOf = (o: SendOptions, state: string): SubmissionServer => {
  const tls = o.implicitTls === true ? 'implicit' : 'starttls'
  const ca = o.ca === undefined ? {} : { ca: readFile('the certificate', o.ca).toString('utf8') }
  if (o.server !== undefined) {
    const [, host, port] = /^(.+):(\d{1,5})$/.exec(o.server) ?? []
    if (host === undefined) throw new Failure(`--server takes HOST:PORT, not ${JSON.stringify(o.server)}`, 2)
    return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port), tls, ...ca }
  }
  const running = readRunning(state)
  const place = running?.listeners[o.implicitTls === true ? 'submissions' : 'submission']
  if (running === undefined || place === undefined || 'path' in place)
    throw new Failure(
      `no server runs on ${state}: start one with "posthorn start", or name one with --server HOST:PORT`,
    )
  const { selfSigned, hostname } = running
  const trusted =
    selfSigned !== undefined && o.ca === undefined
      ? { ca: readFile('the certificate', selfSigned).toString('utf8'), serverName: 'localhost' }
      : { ...ca, serverName: hostname }
  const host = place.host === '0.0.0.0' || place.host === '::' ? '127.0.0.1' : place.host
  return { host, port: place.port, tls, ...trusted }
}

/** `posthorn send`: what a mail program does, in one command. */
export const send = async (o: SendOptions): Promise<void> => {
  const out = terminal(o.json === true)
  const state = await stateOf(o)
  const { user, password } = login(o, state)
  const from = o.from ?? user
  if (from === undefined) throw new Failure('say who it is from: --from ADDRESS', 2)
  const text = o.text ?? readFile('standard input', 0).toString('utf8')
  const attachments = (o.attach ?? []).map(file => ({ filename: basename(file), content: readFile(file, file) }))
  try {
    const message = await composeMessage({
      from,
      to: o.to,
      cc: o.cc ?? [],
      bcc: o.bcc ?? [],
      subject: o.subject,
      text,
      attachments,
    })
    const sent = await submitMessage(message, {
      ...serverOf(o, state),
      ...(user === undefined ? {} : { user }),
      ...(password === undefined ? {} : { password }),
    })
    out.value({ accepted: sent.accepted, rejected: sent.rejected, reply: sent.reply })
    out.line(printable(`sent to ${sent.accepted.join(', ')}: ${sent.reply}`))
    for (const r of sent.rejected) out.line(printable(`refused for ${r.address}: ${r.reply}`))
    if (sent.rejected.length > 0) process.exitCode = 1
  } catch (error) {
    if (error instanceof SubmitError)
      throw new Failure(
        printable(`not sent (${error.reason}${error.temporary ? ', try again later' : ''}): ${error.message}`),
      )
    if (error instanceof RangeError) throw new Failure(printable(error.message), 2)
    throw error
  }
}
