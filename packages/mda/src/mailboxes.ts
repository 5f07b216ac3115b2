import type { Mailbox } from '@posthorn/address'
import type { Mailboxes } from '@posthorn/contracts'
import { definePlugin, type Plugin, type Resolved } from '@posthorn/plugin'
import { AddressBook, type MailboxOptions } from './address-book.ts'
import { aliasProblems } from './alias-problems.ts'

/** The mailboxes and aliases of our domains, and the plugin that resolves addresses to them. */
export interface LocalMailboxes extends Mailboxes {
  /** Answers `resolve` for our domains: a mailbox, an expansion, or nothing, which the session answers 550 5.1.1. */
  readonly plugin: Plugin
  /** Replace parts of the configuration from the next look-up on. Throws RangeError on a bad name, and then nothing has changed. */
  update(change: Partial<MailboxOptions>): void
  /** What an operator should mend: aliases that reach nobody, or themselves. One line each. */
  problems(): readonly string[]
}

/** How many aliases may lead from an address to the one mailbox behind it. */
const DEEPEST = 10

/** One step only: the session asks again for each member, and bounds how deep and how many (RFC 5321 §3.9). */
const resolve = (book: AddressBook, to: Mailbox): Resolved | undefined => {
  const found = book.find(to.local, to.domain)
  if (found === undefined) return undefined
  if (found.is === 'mailbox') return { mailbox: found.name }
  const members = book.members(found, to)
  if (members.to.length === 0) return members.keep === undefined ? undefined : { mailbox: members.keep }
  return {
    expand: members.to.map(member => ({ to: member })),
    ...(members.keep === undefined ? {} : { keep: members.keep }),
  }
}

/** The one mailbox of ours that an address comes to, if it comes to just one. */
const mailboxOf = (book: AddressBook, address: Mailbox): string | undefined => {
  let at = address
  for (let depth = 0; depth <= DEEPEST; depth++) {
    const found = book.find(at.local, at.domain)
    if (found === undefined) return undefined
    if (found.is === 'mailbox') return found.name
    const { to, keep } = book.members(found, at)
    const [next] = to
    if (next === undefined) return keep
    if (to.length > 1 || keep !== undefined) return undefined
    at = next
  }
  return undefined
}

/**
 * The mailboxes of our domains. Names compare without case. An exact name wins over `user+detail`, a name of one domain over a name of
 * all; postmaster and abuse are always taken while there is a mailbox. Throws RangeError that says which name is wrong.
 */
export const createMailboxes = (options: MailboxOptions): LocalMailboxes => {
  let current = options
  let book = new AddressBook(options)
  return {
    isLocalDomain: domain => book.isLocalDomain(domain),
    find: address => mailboxOf(book, address),
    plugin: definePlugin({
      name: 'mailboxes',
      setup: () => ({ resolve: ({ to }) => resolve(book, to) }),
    }),
    update: change => {
      const next = { ...current, ...change }
      book = new AddressBook(next)
      current = next
    },
    problems: () => aliasProblems(book),
  }
}
