import { mailboxAt, mailboxKey, parseDomain, parseMailbox, type Domain, type Mailbox } from '@posthorn/address'
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
export type Found =
  | { readonly is: 'mailbox'; readonly name: string }
  | { readonly is: 'alias'; readonly key: string; readonly targets: readonly Target[] }

/** One address an alias comes to. `own` marks a mailbox that bears the name of an alias on the way to it. */
export interface Expanded {
  readonly to: Mailbox
  readonly own: boolean
}

/** More addresses than one alias should reach without being a mailing list. */
const MOST = 1000
/** Aliases of aliases. */
const DEEPEST = 50
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

const mailboxesOf = (names: Iterable<string>, domains: ReadonlySet<string>): ReadonlyMap<string, Found> => {
  const found = new Map<string, Found>()
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
): ReadonlyMap<string, Found> => {
  const found = new Map<string, Found>()
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
  readonly #mailboxes: ReadonlyMap<string, Found>
  readonly #aliases: ReadonlyMap<string, Found>
  readonly #delimiter: string
  readonly #fallback: Found | undefined
  readonly #host: string | undefined
  /** Expansions made so far; at most one for each alias and domain. */
  readonly #expansions = new Map<string, readonly Expanded[] | undefined>()

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
      throw new RangeError(`postmaster ${JSON.stringify(o.postmaster)} is not one of the mailboxes`)
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

  /** The mailbox of that name, even where an alias has the same. */
  mailbox(local: string, domain: string): Found | undefined {
    const key = localKey(local)
    return this.#mailboxes.get(`${key}@${domain}`) ?? this.#mailboxes.get(key)
  }

  /**
   * All that an alias comes to at this domain, each address once, mailboxes that share an alias's name first. Loops end where they
   * began. `undefined` when it reaches too many addresses; empty when it reaches none.
   */
  expand(key: string, targets: readonly Target[], domain: Domain): readonly Expanded[] | undefined {
    const memo = `${key} ${domain}`
    if (this.#expansions.has(memo)) return this.#expansions.get(memo)
    const reached = new Map<string, Expanded>()
    const complete = this.#walk({ key, targets }, domain, [], new Set([memo]), reached)
    const all = complete ? [...reached.values()].sort((a, b) => Number(b.own) - Number(a.own)) : undefined
    this.#expansions.set(memo, all)
    return all
  }

  /** Aliases that reach nobody, or too many: what an operator should be told before the first mail bounces. */
  problems(): readonly string[] {
    const found: string[] = []
    for (const alias of this.#aliases.values()) {
      if (alias.is !== 'alias') continue
      const only = alias.key.includes('@') ? alias.key.slice(alias.key.lastIndexOf('@') + 1) : undefined
      for (const domain of only === undefined ? [...this.domains].slice(0, 1) : [only]) {
        const all = this.expand(alias.key, alias.targets, domain as Domain)
        if (all === undefined) found.push(`alias ${alias.key} reaches more than ${MOST} addresses`)
        else if (all.length === 0) found.push(`alias ${alias.key} reaches nobody`)
        else found.push(...this.#strays(alias.key, alias.targets, domain))
      }
    }
    return found
  }

  #strays(key: string, targets: readonly Target[], domain: string): readonly string[] {
    return targets
      .filter(t => this.isLocalDomain(t.domain ?? domain) && this.find(t.local, t.domain ?? domain) === undefined)
      .map(t => `alias ${key} names ${JSON.stringify(t.local)}, which is neither a mailbox nor an alias`)
  }

  #exact(key: string, domain: string): Found | undefined {
    const full = `${key}@${domain}`
    return this.#aliases.get(full) ?? this.#mailboxes.get(full) ?? this.#aliases.get(key) ?? this.#mailboxes.get(key)
  }

  #base(key: string, domain: string): Found | undefined {
    const at = this.#delimiter === '' ? -1 : key.indexOf(this.#delimiter)
    return at > 0 ? this.#exact(key.slice(0, at), domain) : undefined
  }

  /** RFC 5321 §4.5.1 wants postmaster answered, RFC 2142 abuse. */
  #role(key: string): Found | undefined {
    return ROLES.has(key) ? this.#fallback : undefined
  }

  /** Add what an alias reaches. False when it is too much. */
  #walk(
    alias: { readonly key: string; readonly targets: readonly Target[] },
    domain: Domain,
    above: readonly string[],
    seen: Set<string>,
    reached: Map<string, Expanded>,
  ): boolean {
    if (above.length >= DEEPEST) return false
    const path = [...above, `${alias.key} ${domain}`]
    for (const target of alias.targets) {
      if (reached.size > MOST) return false
      if (!this.#follow(target, target.domain ?? domain, path, seen, reached)) return false
    }
    return reached.size <= MOST
  }

  #follow(
    target: Target,
    domain: Domain,
    path: readonly string[],
    seen: Set<string>,
    reached: Map<string, Expanded>,
  ): boolean {
    const to = target.mailbox ?? mailboxAt(target.local, domain)
    if (!this.isLocalDomain(domain)) return add(reached, mailboxKey(to), to, false)
    const found = this.find(target.local, domain)
    const ours = `${localKey(target.local)}@${domain}`
    if (found === undefined) return true
    if (found.is === 'mailbox') return add(reached, ours, to, false)
    const step = `${found.key} ${domain}`
    // Back at an alias above: its own mailbox is meant, as with a forward that keeps a copy.
    if (path.includes(step)) return this.mailbox(target.local, domain) === undefined || add(reached, ours, to, true)
    if (seen.has(step)) return true
    seen.add(step)
    return this.#walk(found, domain, path, seen, reached)
  }
}

const add = (reached: Map<string, Expanded>, key: string, to: Mailbox, own: boolean): boolean => {
  if (!reached.has(key)) reached.set(key, { to, own })
  return true
}
