import { until } from './command.ts'
import { maildirMessages } from './maildir.ts'

/** A mail server of another make. */
export interface MailServer {
  readonly port: number
  log(): string
  /** Wait for a line in the log. */
  logged(line: RegExp): Promise<void>
  /** Wait for a message that holds this text in the Maildir of a mailbox. */
  delivered(mailbox: string, text: string): Promise<string>
  stop(): Promise<void>
}

/** The ports of ours that a server gives mail for our domain to. */
export interface Relay {
  readonly domain: string
  readonly smtp: number
  readonly lmtp: number
  readonly login?: { readonly port: number; readonly user: string; readonly password: string }
}

/** What such a server is to do. Nobody may relay through it, and everything else is as its makers set it. */
export interface MailServerOptions {
  readonly port: number
  readonly hostname: string
  /** The domain whose mail ends there. */
  readonly domain: string
  /** Local parts there. */
  readonly mailboxes: readonly string[]
  /** It offers STARTTLS with these, in PEM. */
  readonly certificate?: string
  readonly key?: string
  /**
   * Whose mail it gives to us: by SMTP under TLS; by LMTP in clear when the detail of the address is `lmtp`; as a user of ours, by
   * submission, when it is `login`.
   */
  readonly relay?: Relay
}

/** The waiting for its log and its Maildirs. What it says of itself belongs to every complaint. */
export const watch = (
  name: string,
  log: () => string,
  maildir: (mailbox: string) => string,
): Pick<MailServer, 'log' | 'logged' | 'delivered'> => {
  const wait = <T>(what: string, ask: () => T | undefined): Promise<T> =>
    until(what, ask).catch((error: unknown) => {
      throw new Error(`${String(error)}; the log of ${name} ends with:\n${log().split('\n').slice(-40).join('\n')}`)
    })
  return {
    log,
    logged: async line => void (await wait(`${line} in the log`, () => line.test(log()) || undefined)),
    delivered: (mailbox, text) =>
      wait(`a message with ${JSON.stringify(text)} for ${mailbox}`, () =>
        maildirMessages(maildir(mailbox)).find(m => m.includes(text)),
      ),
  }
}
