import { createMailboxes, type MailboxOptions } from '@posthorn/mda'
import type { User, Users } from '@posthorn/msa'
import type { Config } from './schema.ts'

/** The users whose domain is ours, and who so have a mailbox. */
const oursOf = (config: Config, users: Users): readonly User[] => {
  const ours = new Set<string>(config.domains)
  return users
    .list()
    .filter(
      ({ mailbox }) => !mailbox.includes('@') || ours.has(mailbox.slice(mailbox.lastIndexOf('@') + 1).toLowerCase()),
    )
}

/** The mailboxes of the configuration, and those of the users whose domain is ours and whose names can be directories. */
export const mailboxNames = (config: Config, users: Users): readonly string[] => {
  const fromUsers = oursOf(config, users)
    .map(user => user.mailbox)
    .filter(name => whyNoMailbox(name, config.domains) === undefined)
  return [...new Set([...config.mailboxes, ...fromUsers])]
}

/** One line for each user who has no mailbox although the domain is ours. */
export const usersWithout = (config: Config, users: Users): readonly string[] =>
  oursOf(config, users).flatMap(({ name, mailbox }) => {
    const why = whyNoMailbox(mailbox, config.domains)
    return why === undefined ? [] : [`user ${name} has no mailbox: ${why}`]
  })

/** One user with an odd name must not keep the others from their mail. */
const whyNoMailbox = (name: string, domains: readonly string[]): string | undefined => {
  try {
    createMailboxes({ domains, mailboxes: [name] })
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
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
