import { mailboxAt, mailboxKey, parseDomain, parseMailbox, type Mailbox } from '@posthorn/address'
import { mailboxPath } from 'maildir-parse'
import { localKey, parseTarget, type Target } from './alias.ts'

/** What our domains hold, as configured. Names stand for themselves at every domain of ours, or with `@domain` at that one only. */
export interface MailboxOptions {
  /** Domains whose mail ends here. */
  readonly domains: Iterable<string>
  /** Such as `ann`, or `ann@example.org`. Names become directories, so not everything an address may be is allowed. */
  readonly mailboxes: Iterable<string>
  /** What a name stands for: mailboxes, aliases or addresses. `*@example.org` takes what nothing else took; a name among its own targets is its mailbox. */
  readonly aliases?: Readonly<Record<string, string | readonly string[]>>
  /** Splits `user+detail`; `+` when absent, `false` for none. */
  readonly delimiter?: string | false
  /** The mailbox of postmaster and abuse where no mailbox or alias has that name; the first mailbox when absent. */
  readonly postmaster?: string
  /** Our host name: postmaster and abuse are answered there too (RFC 5321 §4.5.1). */
  readonly hostname?: string
}

/** What an address of ours is. */
export type Found = LocalMailbox | Alias
export interface LocalMailbox {
  readonly is: 'mailbox'
  readonly name: string
}
export interface Alias {
  readonly is: 'alias'
  readonly key: string
  readonly targets: readonly Target[]
}

/** What an alias stands for at one address: other addresses, each once, and the mailbox of its own name when it is among its targets. */
export interface Members {
  readonly to: readonly Mailbox[]
  readonly keep?: string
}

/** RFC 5321 §4.5.1 wants postmaster answered, RFC 2142 abuse. */
const ROLES: ReadonlySet<string> = new Set(['postmaster', 'abuse'])

const domainsOf = (domains: Iterable<string>): ReadonlySet<string> => {
  const known = new Set<string>()
  for (const text of domains) {
    const domain = parseDomain(text)
    if (domain === undefined) throw new RangeError(`${JSON.stringify(text)} is not a domain`)
    known.add(domain)
  }
  return known
}

/** A configured name as a key: `ann`, or `ann@example.org` when it is of one domain. */
const keyOf = (what: string, text: string, domains: ReadonlySet<string>): string => {
  const mailbox = parseMailbox(text.includes('@') ? text : `${text}@x`, { smtputf8: true })
  if (mailbox === undefined) throw new RangeError(`${what} ${JSON.stringify(text)} is not an address or a local name`)
  if (!text.includes('@')) return localKey(mailbox.local)
  if (!domains.has(mailbox.domain))
    throw new RangeError(
      `${what} ${JSON.stringify(text)} is in a domain that is not ours; ours: ${[...domains].join(', ')}`,
    )
  return `${localKey(mailbox.local)}@${mailbox.domain}`
}

const mailboxesOf = (names: Iterable<string>, domains: ReadonlySet<string>): ReadonlyMap<string, LocalMailbox> => {
  const found = new Map<string, LocalMailbox>()
  for (const name of names) {
    const key = keyOf('mailbox', name, domains)
    if (mailboxPath('/', name) === undefined)
      throw new RangeError(
        `mailbox ${JSON.stringify(name)} cannot name a directory: letters, digits and ._@+=-' are allowed`,
      )
    if (!found.has(key)) found.set(key, { is: 'mailbox', name })
  }
  return found
}

const aliasesOf = (
  aliases: Readonly<Record<string, string | readonly string[]>>,
  domains: ReadonlySet<string>,
): ReadonlyMap<string, Alias> => {
  const found = new Map<string, Alias>()
  for (const [name, targets] of Object.entries(aliases)) {
    const key = keyOf('alias', name, domains)
    const list = typeof targets === 'string' ? [targets] : targets
    if (list.length === 0) throw new RangeError(`alias ${JSON.stringify(name)} stands for nothing`)
    found.set(key, { is: 'alias', key, targets: list.map(target => parseTarget(name, target)) })
  }
  return found
}

/** The configuration made ready for look-ups that cost the same however many names there are. Never changes. */
export class AddressBook {
  readonly domains: ReadonlySet<string>
  readonly #mailboxes: ReadonlyMap<string, LocalMailbox>
  readonly #aliases: ReadonlyMap<string, Alias>
  readonly #delimiter: string
  readonly #fallback: LocalMailbox | undefined
  readonly #host: string | undefined

  /** Throws RangeError that says which name is wrong, and why. */
  constructor(o: MailboxOptions) {
    this.domains = domainsOf(o.domains)
    this.#mailboxes = mailboxesOf(o.mailboxes, this.domains)
    this.#aliases = aliasesOf(o.aliases ?? {}, this.domains)
    this.#delimiter = o.delimiter === false ? '' : (o.delimiter ?? '+')
    this.#host = o.hostname === undefined ? undefined : parseDomain(o.hostname)
    this.#fallback =
      o.postmaster === undefined
        ? this.#mailboxes.values().next().value
        : this.#mailboxes.get(keyOf('postmaster', o.postmaster, this.domains))
    if (o.postmaster !== undefined && this.#fallback === undefined)
      throw new RangeError(
        `postmaster ${JSON.stringify(o.postmaster)} is not one of the mailboxes; a user of that name would have one`,
      )
  }

  /** The domain is ours, or is our host's name, where only postmaster and abuse live. */
  isLocalDomain(domain: string): boolean {
    return this.domains.has(domain) || domain === this.#host
  }

  find(local: string, domain: string): Found | undefined {
    const key = localKey(local)
    if (!this.domains.has(domain)) return domain === this.#host && ROLES.has(key) ? this.#fallback : undefined
    return this.#exact(key, domain) ?? this.#base(key, domain) ?? this.#role(key) ?? this.#exact('*', domain)
  }

  /** What the alias that `address` is stands for. A bare target is of the address's own domain. */
  members(alias: Alias, address: Mailbox): Members {
    const to = new Map<string, Mailbox>()
    let keep: string | undefined
    for (const target of alias.targets) {
      const member = target.mailbox ?? mailboxAt(target.local, address.domain)
      const found = this.find(member.local, member.domain)
      const isItself = found?.is === 'alias' && found.key === alias.key && member.domain === address.domain
      if (isItself) keep = this.#mailbox(member.local, member.domain)
      else to.set(found === undefined ? mailboxKey(member) : `${localKey(member.local)}@${member.domain}`, member)
    }
    return { to: [...to.values()], ...(keep === undefined ? {} : { keep }) }
  }

  /** Every alias, with an address that it has. */
  *aliases(): Generator<{ readonly alias: Alias; readonly address: Mailbox }> {
    const [domain] = this.domains
    for (const alias of this.#aliases.values()) {
      const address = parseMailbox(alias.key.includes('@') ? alias.key : `${alias.key}@${domain ?? ''}`)
      if (address !== undefined) yield { alias, address }
    }
  }

  /** The mailbox of that name, although an alias has the same. */
  #mailbox(local: string, domain: string): string | undefined {
    const key = localKey(local)
    const base = this.#delimiter === '' ? key : (key.split(this.#delimiter, 1)[0] ?? key)
    for (const name of [`${key}@${domain}`, key, `${base}@${domain}`, base]) {
      const found = this.#mailboxes.get(name)
      if (found !== undefined) return found.name
    }
    return undefined
  }

  #exact(key: string, domain: string): Found | undefined {
    const full = `${key}@${domain}`
    return this.#aliases.get(full) ?? this.#mailboxes.get(full) ?? this.#aliases.get(key) ?? this.#mailboxes.get(key)
  }

  #base(key: string, domain: string): Found | undefined {
    const at = this.#delimiter === '' ? -1 : key.indexOf(this.#delimiter)
    return at > 0 ? this.#exact(key.slice(0, at), domain) : undefined
  }

  #role(key: string): Found | undefined {
    return ROLES.has(key) ? this.#fallback : undefined
  }
}
