import { createTransport } from 'nodemailer'
import type { Composed } from './compose.ts'
import { asSubmitError, rejectedOf, type RejectedRecipient } from './submit-error.ts'

/** The server that takes our mail (RFC 6409). */
export interface SubmissionServer {
  readonly host: string
  /** 465 with implicit TLS, else 587, when absent. */
  readonly port?: number
  /**
   * `implicit`: TLS from the first byte (RFC 8314). `starttls`: STARTTLS or nothing. `none`: in clear, and then a password is not sent.
   * `implicit` on port 465, else `starttls`, when absent.
   */
  readonly tls?: 'implicit' | 'starttls' | 'none'
  readonly user?: string
  readonly password?: string
  /** Authorities to trust instead of the system's, in PEM: for a server with a certificate of its own making. */
  readonly ca?: string
  /** The name the certificate must bear; the host when absent. */
  readonly serverName?: string
  /** What we call ourselves in EHLO; the system's host name when absent. */
  readonly helo?: string
  /** For each wait on the server, in ms; 30 s when absent. */
  readonly timeoutMs?: number
}

/** The server has the message now, for these recipients. */
export interface Submitted {
  readonly accepted: readonly string[]
  /** Not every recipient need be taken; see what was said of these. */
  readonly rejected: readonly RejectedRecipient[]
  /** The server's last words, such as `250 2.0.0 Ok: queued as 1a2b3c`. */
  readonly reply: string
}

/**
 * Hand a message to a submission server. Resolves when the server has taken it for at least one recipient; rejects with SubmitError when
 * for none. The certificate is always checked. Throws RangeError when a password would go in clear.
 */
export const submitMessage = async (
  message: Composed,
  server: SubmissionServer,
  signal?: AbortSignal,
): Promise<Submitted> => {
  const tls = server.tls ?? (server.port === 465 ? 'implicit' : 'starttls')
  const port = server.port ?? (tls === 'implicit' ? 465 : 587)
  if (tls === 'none' && server.password !== undefined)
    throw new RangeError('a password is not sent without TLS; set tls to "starttls" or "implicit"')
  const transport = createTransport({ ...connection(server, tls), port })
  try {
    const sent = await transport.sendMail({
      envelope: { from: message.sender, to: [...message.recipients] },
      raw: Buffer.from(message.bytes.buffer, message.bytes.byteOffset, message.bytes.byteLength),
      ...(signal === undefined ? {} : { signal }),
    })
    return { accepted: sent.accepted, rejected: rejectedOf(sent), reply: sent.response }
  } catch (error) {
    throw asSubmitError(error, `${server.host}:${port}`)
  } finally {
    transport.close()
  }
}

const connection = (server: SubmissionServer, tls: 'implicit' | 'starttls' | 'none') => {
  const timeout = server.timeoutMs ?? 30_000
  return {
    host: server.host,
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    connectionTimeout: timeout,
    greetingTimeout: timeout,
    socketTimeout: timeout,
    dnsTimeout: timeout,
    disableFileAccess: true,
    disableUrlAccess: true,
    ...(server.helo === undefined ? {} : { name: server.helo }),
    ...(server.user === undefined ? {} : { auth: { user: server.user, pass: server.password ?? '' } }),
    tls: {
      minVersion: 'TLSv1.2' as const,
      ...(server.ca === undefined ? {} : { ca: server.ca }),
      ...(server.serverName === undefined ? {} : { servername: server.serverName }),
    },
  }
}
