import { nfc, parseMailbox, type Domain, type Mailbox } from '@posthorn/address'

/** One of the things an alias stands for, as configured: a mailbox, another alias, or an address anywhere. */
export interface Target {
  readonly local: string
  /** Absent: the domain of the address that was asked for. */
  readonly domain?: Domain
  /** When it has a domain. */
  readonly mailbox?: Mailbox
}

/** The key by which local parts of ours are found: without case and in one Unicode form. */
export const localKey = (local: string): string => nfc(local).toLowerCase()

/** Old mail systems ran programs and wrote files for such targets; refused by name, so that nobody takes silence for support. */
const COMMANDS = /^[|/:"\\]/

/** Read a target. Throws RangeError that names the alias, the target and what is allowed. */
export const parseTarget = (alias: string, text: string): Target => {
  const mailbox = parseMailbox(text.includes('@') ? text : `${text}@x`, { smtputf8: true })
  if (mailbox === undefined || COMMANDS.test(text))
    throw new RangeError(
      `alias ${JSON.stringify(alias)}: ${JSON.stringify(text)} is neither an address nor a local name; programs, files and includes are not supported`,
    )
  return text.includes('@') ? { local: mailbox.local, domain: mailbox.domain, mailbox } : { local: mailbox.local }
}
