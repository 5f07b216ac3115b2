import { nfc, parseDomain, parseMailbox } from '@posthorn/address'
import type { Mailbox } from '@posthorn/address'

/** Which addresses a user may send as, ready to be asked. */
export interface Rights {
  includes(address: Mailbox): boolean
}

/**
 * Local parts are compared without case: a user who logs in as `alice` and writes as `Alice` is one person, and at our own
 * domains no two mailboxes differ in case alone.
 */
const key = (local: string, domain: string): string => `${nfc(local).toLowerCase()}@${domain}`

/** Whether a text may stand in a user's `addresses`: an address, `*@example.org` or `*`. */
export const isAddressPattern = (text: string): boolean =>
  text === '*' || (text.startsWith('*@') ? parseDomain(text.slice(2)) !== undefined : parseMailbox(text) !== undefined)

/** Rights from patterns that passed `isAddressPattern`. `delimiter`: `alice@…` covers `alice+anything@…`; `''` for no such thing. */
export const compileRights = (patterns: readonly string[], delimiter: string): Rights => {
  const exact = new Set<string>()
  const domains = new Set<string>()
  for (const pattern of patterns) {
    const domain = pattern.startsWith('*@') ? parseDomain(pattern.slice(2)) : undefined
    const mailbox = parseMailbox(pattern)
    if (domain !== undefined) domains.add(domain)
    else if (mailbox !== undefined) exact.add(key(mailbox.local, mailbox.domain))
  }
  const all = patterns.includes('*')
  return {
    includes: ({ local, domain }) => {
      if (all || domains.has(domain) || exact.has(key(local, domain))) return true
      const detail = delimiter === '' ? -1 : local.indexOf(delimiter)
      return detail > 0 && exact.has(key(local.slice(0, detail), domain))
    },
  }
}
