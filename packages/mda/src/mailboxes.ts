import type { Mailbox } from '@posthorn/address'
import { localError } from '@posthorn/reply'
import { definePlugin, slot, type Plugin, type Recipient, type Resolved, type Slots, type Stop } from '@posthorn/plugin'
import type { Mailboxes } from '@posthorn/contracts'
import { AddressBook, type MailboxOptions } from './address-book.ts'

/** The mailboxes and aliases of our domains, and the plugin that resolves addresses to them. */
export interface LocalMailboxes extends Mailboxes {
  /** Answers `resolve` for our domains: a mailbox, an expansion, or nothing, which the session answers 550 5.1.1. */
  readonly plugin: Plugin
  /** Replace parts of the configuration from the next look-up on. Throws RangeError on a bad name, and then nothing has changed. */
  update(change: Partial<MailboxOptions>): void
  /** What an operator should mend: aliases that reach nobody. */
  problems(): readonly string[]
}

/**
 * Mailboxes that an expansion named although an alias has their name, and which the session is about to resolve again: how often.
 * Without it an alias that keeps a copy would expand for ever.
 */
const ownMailboxes = slot<Map<string, number>>('mda.own-mailboxes')

const owe = (slots: Slots, wire: string): void => {
  const owed = slots.get(ownMailboxes) ?? new Map<string, number>()
  owed.set(wire, (owed.get(wire) ?? 0) + 1)
  slots.set(ownMailboxes, owed)
}
const paid = (slots: Slots, wire: string): boolean => {
  const owed = slots.get(ownMailboxes)
  const count = owed?.get(wire) ?? 0
  if (owed === undefined || count === 0) return false
  if (count === 1) owed.delete(wire)
  else owed.set(wire, count - 1)
  return true
}

const resolve = (book: AddressBook, to: Mailbox, slots: Slots): Resolved | Stop | undefined => {
  const own = paid(slots, to.wire) ? book.mailbox(to.local, to.domain) : undefined
  const found = own ?? book.find(to.local, to.domain)
  if (found === undefined) return undefined
  if (found.is === 'mailbox') return { mailbox: found.name }
  const reached = book.expand(found.key, found.targets, to.domain)
  // Our mistake, not the sender's: it is told to come again (RFC 5321 §3.9 has no limit of its own).
  if (reached === undefined) return localError
  if (reached.length === 0) return undefined
  for (const { to: at } of reached.filter(r => r.own)) owe(slots, at.wire)
  return { expand: reached.map((r): Recipient => ({ to: r.to })) }
}

const only = (book: AddressBook, address: Mailbox): string | undefined => {
  const found = book.find(address.local, address.domain)
  if (found === undefined || found.is === 'mailbox') return found?.name
  const reached = book.expand(found.key, found.targets, address.domain) ?? []
  const [first] = reached
  if (first === undefined || reached.length > 1) return undefined
  const last = book.mailbox(first.to.local, first.to.domain) ?? book.find(first.to.local, first.to.domain)
  return last?.is === 'mailbox' && book.isLocalDomain(first.to.domain) ? last.name : undefined
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
    find: address => only(book, address),
    plugin: definePlugin({
      name: 'mailboxes',
      setup: () => ({ resolve: ({ to }, ctx) => resolve(book, to, ctx) }),
    }),
    update: change => {
      const next = { ...current, ...change }
      book = new AddressBook(next)
      current = next
    },
    problems: () => book.problems(),
  }
}
