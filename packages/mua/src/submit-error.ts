/**
 * Why a message was not submitted. `connect`: nobody answered at that address. `timeout`: the server fell silent. `tls`: no encryption, or a
 * certificate that cannot be trusted. `auth`: user or password. `sender`, `recipients`: all were refused. `content`: the message was.
 * `protocol`: the server spoke something else. `aborted`: the caller's signal. `other`: see the cause.
 */
export type SubmitReason =
  'connect' | 'timeout' | 'tls' | 'auth' | 'sender' | 'recipients' | 'content' | 'protocol' | 'aborted' | 'other'

/** What `submitMessage` throws: nothing was taken over by the server. */
export class SubmitError extends Error {
  override readonly name = 'SubmitError'
  readonly reason: SubmitReason
  /** The same may work later. */
  readonly temporary: boolean
  /** What the server said, when it was the server, such as `535 5.7.8 Authentication credentials invalid`. */
  readonly reply: string | undefined
  /** The recipients that were refused, with what was said of each. */
  readonly rejected: readonly RejectedRecipient[]

  constructor(
    message: string,
    o: {
      readonly reason: SubmitReason
      readonly temporary: boolean
      readonly reply?: string | undefined
      readonly rejected?: readonly RejectedRecipient[]
      readonly cause?: unknown
    },
  ) {
    super(message, { cause: o.cause })
    this.reason = o.reason
    this.temporary = o.temporary
    this.reply = o.reply
    this.rejected = o.rejected ?? []
  }
}

/** A recipient the server would not take. */
export interface RejectedRecipient {
  readonly address: string
  /** The server's words. */
  readonly reply: string
}

interface SmtpFailure {
  readonly message: string
  readonly code?: string | undefined
  readonly command?: string | undefined
  readonly response?: string | undefined
  readonly responseCode?: number | undefined
  readonly originalCode?: string | undefined
  readonly recipient?: string | undefined
  readonly rejected?: readonly string[] | undefined
  readonly rejectedErrors?: readonly SmtpFailure[] | undefined
}

const reasons: Readonly<Record<string, SubmitReason>> = {
  ECONNECTION: 'connect',
  ESOCKET: 'connect',
  EDNS: 'connect',
  ETIMEDOUT: 'timeout',
  ETLS: 'tls',
  EREQUIRETLS: 'tls',
  EAUTH: 'auth',
  ENOAUTH: 'auth',
  EOAUTH2: 'auth',
  EMESSAGE: 'content',
  EPROTOCOL: 'protocol',
  EABORT: 'aborted',
}

/** Node's names for certificates that do not do. */
const isCertificate = (code: string): boolean => /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS|ERR_SSL|^EPROTO$/.test(code)

const reasonOf = (e: SmtpFailure): SubmitReason => {
  if (isCertificate(e.originalCode ?? e.code ?? '')) return 'tls'
  if (e.code === 'EENVELOPE') return e.command?.startsWith('MAIL') === true ? 'sender' : 'recipients'
  return reasons[e.code ?? ''] ?? 'other'
}

/** What was said of each recipient that was refused. */
export const rejectedOf = (e: {
  readonly rejected?: readonly string[] | undefined
  readonly rejectedErrors?: readonly SmtpFailure[] | undefined
}): readonly RejectedRecipient[] => {
  const said = new Map(e.rejectedErrors?.map(r => [r.recipient, r.response ?? r.message]))
  return (e.rejected ?? []).map(address => ({ address, reply: said.get(address) ?? 'refused' }))
}

const isFailure = (error: unknown): error is SmtpFailure => error instanceof Error

/** An error of the SMTP library as a SubmitError. */
export const asSubmitError = (error: unknown, server: string): SubmitError => {
  if (!isFailure(error)) return new SubmitError(String(error), { reason: 'other', temporary: true, cause: error })
  const reason = reasonOf(error)
  const silent = reason === 'connect' || reason === 'timeout'
  const temporary = error.responseCode === undefined ? silent : error.responseCode < 500
  return new SubmitError(`${server}: ${error.response ?? error.message}`, {
    reason,
    temporary,
    reply: error.response,
    rejected: rejectedOf(error),
    cause: error,
  })
}
