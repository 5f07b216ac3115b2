import type { SiteKey } from '@posthorn/contracts'
import { parseSite } from '@posthorn/intake'
import { Allowance } from './allowance.ts'
import type { SiteLimit } from './allowance.ts'

/**
 * The operator's limits, by what they are for: a site (`mx:example.org`, `smtp:relay.example.net:587`), a domain or the name of a mail
 * exchanger (`example.org`), all below one (`*.google.com`), or everything else over the network (`*`).
 */
export type SiteLimits = Readonly<Record<string, SiteLimit>>

/** The host that a key leads to or the domain that it is for, without a port. */
const nameOf = (key: SiteKey): string => {
  const { transport, arg } = parseSite(key)
  return transport === 'smtp' || transport === 'lmtp' ? arg.slice(0, Math.max(0, arg.lastIndexOf(':'))) : arg
}

/** Finds the allowance of a site. Those that one entry is for share it; that of `*` is a pattern, of which each lane gets its own. */
export class LimitBook {
  readonly #exact = new Map<string, Allowance>()
  /** Longest suffix first. */
  readonly #below: readonly (readonly [suffix: string, allowance: Allowance])[]
  readonly #others: Allowance | undefined

  constructor(limits: SiteLimits) {
    const below: [string, Allowance][] = []
    for (const [name, limit] of Object.entries(limits)) {
      if (name.startsWith('*.')) below.push([name.slice(1).toLowerCase(), new Allowance(name, limit)])
      else if (name !== '*') this.#exact.set(name.toLowerCase(), new Allowance(name, limit))
    }
    this.#below = below.sort(([a], [b]) => b.length - a.length)
    this.#others = limits['*'] && new Allowance('*', limits['*'])
  }

  /** `mx`: the exchangers of the site, when they are known. The site itself goes before its domain, that before its exchangers, names before patterns. */
  find(key: SiteKey, mx: readonly string[]): Allowance | undefined {
    const bySite = this.#exact.get(key.toLowerCase())
    if (bySite !== undefined) return bySite
    const { transport } = parseSite(key)
    if (transport !== 'mx' && transport !== 'smtp' && transport !== 'lmtp') return undefined
    const names = [nameOf(key), ...mx].map(name => name.toLowerCase())
    for (const name of names) {
      const found = this.#exact.get(name)
      if (found !== undefined) return found
    }
    for (const [suffix, allowance] of this.#below) if (names.some(name => name.endsWith(suffix))) return allowance
    return this.#others
  }
}
