import { createMailboxes, type MailboxOptions } from '@posthorn/mda'
import type { Users } from '@posthorn/msa'
import type { Config } from './schema.ts'

/** The mailboxes of the configuration and those of the users whose domain is ours and whose names can be directories. */
export const mailboxNames = (config: Config, users: Users): readonly string[] => {
  const ours = new Set<string>(config.domains)
  const fromUsers = users
    .list()
    .map(user => user.mailbox)
    .filter(name => !name.includes('@') || ours.has(name.slice(name.lastIndexOf('@') + 1).toLowerCase()))
    .filter(name => canBeMailbox(name, config.domains))
  return [...new Set([...config.mailboxes, ...fromUsers])]
}

/** One user with an odd name must not keep the others from their mail. */
const canBeMailbox = (name: string, domains: readonly string[]): boolean => {
  try {
    createMailboxes({ domains, mailboxes: [name] })
    return true
  } catch {
    return false
  }
}

export const mailboxOptions = (config: Config, users: Users): MailboxOptions => ({
  domains: config.domains,
  mailboxes: mailboxNames(config, users),
  aliases: config.aliases,
  delimiter: config.delimiter,
  hostname: config.hostname,
  ...(config.postmaster === undefined ? {} : { postmaster: config.postmaster }),
})
