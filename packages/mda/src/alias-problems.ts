import type { Mailbox } from '@posthorn/address'
import type { AddressBook, Alias } from './address-book.ts'
import { localKey } from './alias.ts'

/** As deep as a session follows aliases of aliases. */
const DEEPEST = 10
/** As many addresses as a session takes for one recipient. */
const MOST = 1000

interface Walk {
  readonly book: AddressBook
  /** The aliases on the way here. */
  readonly path: readonly string[]
  /** Addresses reached so far, to bound the work. */
  readonly reached: Set<string>
}

const keyAt = (address: Mailbox): string => `${localKey(address.local)}@${address.domain}`

/** What is wrong below this alias, if anything. */
const wrongWith = (alias: Alias, address: Mailbox, walk: Walk): string | undefined => {
  const path = [...walk.path, keyAt(address)]
  if (path.length > DEEPEST) return `is more than ${DEEPEST} aliases deep`
  const members = walk.book.members(alias, address)
  if (members.to.length === 0 && members.keep === undefined) return 'reaches nobody'
  for (const to of members.to) {
    const key = keyAt(to)
    if (path.includes(key)) return `expands to itself: ${[...path, key].join(', ')}`
    if (walk.reached.has(key)) continue
    walk.reached.add(key)
    if (walk.reached.size > MOST) return `reaches more than ${MOST} addresses`
    const wrong = wrongMember(to, { ...walk, path })
    if (wrong !== undefined) return wrong
  }
  return undefined
}

const wrongMember = (to: Mailbox, walk: Walk): string | undefined => {
  if (!walk.book.isLocalDomain(to.domain)) return undefined
  const found = walk.book.find(to.local, to.domain)
  if (found === undefined) return `reaches ${to.wire}, which is neither a mailbox nor an alias`
  return found.is === 'alias' ? wrongWith(found, to, walk) : undefined
}

/** One line for each alias that cannot work as it stands; for a check of the configuration, since its cost grows with the aliases. */
export const aliasProblems = (book: AddressBook): readonly string[] => {
  const problems: string[] = []
  for (const { alias, address } of book.aliases()) {
    const wrong = wrongWith(alias, address, { book, path: [], reached: new Set() })
    if (wrong !== undefined) problems.push(`alias ${alias.key} ${wrong}`)
  }
  return problems
}
