import type { Destination, SiteKey } from '@posthorn/contracts'

/** The two halves of a site key. */
export interface SiteParts {
  readonly transport: string
  readonly arg: string
}

/** Where a recipient's mail waits: `local:<mailbox>`, or `<transport>:<argument>` such as `mx:example.org`. */
export const siteOf = (destination: Destination): SiteKey =>
  ('mailbox' in destination ? `local:${destination.mailbox}` : `${destination.transport}:${destination.arg}`) as SiteKey

/** The other way; the argument may have colons, the transport's name has none. */
export const parseSite = (site: SiteKey): SiteParts => {
  const colon = site.indexOf(':')
  return colon === -1 ? { transport: site, arg: '' } : { transport: site.slice(0, colon), arg: site.slice(colon + 1) }
}
