import { basename } from 'node:path'
import { composeMessage, SubmitError, submitMessage, type SubmissionServer } from '@posthorn/mua'
import { readDevelopmentUser } from './development-user.ts'
import { Failure } from './failure.ts'
import { readNamed, readText } from './read-text.ts'
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

/** Who logs in, and with what: as the options say, or the user of development mode. */
const login = (o: SendOptions, state: string): { readonly user?: string; readonly password?: string } => {
  const development = readDevelopmentUser(state)
  const user = o.user ?? development?.name
  if (user === undefined) return {}
  const password =
    o.passwordFile === undefined
      ? (process.env['POSTHORN_PASSWORD'] ?? (development?.name === user ? development.password : undefined))
      : readText('the password', o.passwordFile).replace(/\r?\n$/, '')
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
  const ca = o.ca === undefined ? {} : { ca: readText('the certificate', o.ca) }
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
      ? { ca: readText('the certificate', selfSigned), serverName: 'localhost' }
      : { ...ca, serverName: hostname }
  const host = place.host === '0.0.0.0' || place.host === '::' ? '127.0.0.1' : place.host
  return { host, port: place.port, tls, ...trusted }
}

/** Node's advice for an unknown certificate is for who calls Node; ours is for who calls this. */
const withoutHint = (message: string): string =>
  message.replace(/; if the root CA is installed locally, .*$/s, '; --ca FILE trusts one that you know')

/** `posthorn send`: what a mail program does, in one command. */
export const send = async (o: SendOptions): Promise<void> => {
  const out = terminal(o.json === true)
  const state = await stateOf(o)
  const { user, password } = login(o, state)
  const from = o.from ?? user
  if (from === undefined) throw new Failure('say who it is from: --from ADDRESS', 2)
  const text = o.text ?? readText('standard input', 0)
  const attachments = (o.attach ?? []).map(file => ({ filename: basename(file), content: readNamed(file, file) }))
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
        printable(
          `not sent (${error.reason}${error.temporary ? ', try again later' : ''}): ${withoutHint(error.message)}`,
        ),
      )
    if (error instanceof RangeError) throw new Failure(printable(error.message), 2)
    throw error
  }
}
