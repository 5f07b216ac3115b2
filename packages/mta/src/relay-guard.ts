import { isPostmaster, parseDomain } from '@posthorn/address'
import type { LocalPart, Mailbox } from '@posthorn/address'
import { definePlugin, pass, permit } from '@posthorn/plugin'
import type { Plugin } from '@posthorn/plugin'
import { relayDenied } from '@posthorn/reply'
import { trust } from './trusted.ts'

export interface RelayGuardOptions {
  /** Whether we are the end of the road for this domain (A-labels, or an address literal). */
  readonly isLocalDomain: (domain: string) => boolean
  /** Client networks that may send anywhere, as CIDR blocks. None when absent: loopback is not trusted either. */
  readonly trusted?: readonly string[]
  /** Exempts an exact mailbox of ours whose name merely looks like a source route, such as `50%off@example.org`. */
  readonly isMailbox?: (mailbox: Mailbox) => boolean
  /** Our own name: `postmaster` is taken there as well (RFC 5321 §4.5.1). */
  readonly hostname?: string
}

/**
 * The rule of port 25: anyone may send to domains of ours, trusted clients anywhere, nobody else.
 *
 * It permits and is otherwise silent, and silence never relays, so that another plugin may still permit what this one
 * does not know. The one thing it refuses itself is a local part that names a foreign domain after a percent sign, an at
 * sign or before a bang: nothing of ours would route by it, but a machine behind us might.
 */
export const relayGuard = (o: RelayGuardOptions): Plugin => {
  const trusts = trust(o.trusted ?? [])
  const hostname = o.hostname?.toLowerCase()
  const isOurs = (domain: string): boolean => o.isLocalDomain(domain)
  return definePlugin({
    name: 'relay-guard',
    setup: () => ({
      rcpt: ({ to }, client) => {
        if (isOurs(to.domain)) {
          if (namesAnother(to.local, isOurs) && o.isMailbox?.(to) !== true) return relayDenied
          return permit
        }
        if (isPostmaster(to) && (!to.wire.includes('@') || to.domain === hostname)) return permit
        return trusts(client.ip) ? permit : pass
      },
    }),
  })
}

/** Whether a local part asks to be sent on to a domain that is not ours: `a%b`, `b!a`, `"a@b"`. */
const namesAnother = (local: LocalPart, isOurs: (domain: string) => boolean): boolean => {
  for (const domain of routed(local)) {
    const parsed = parseDomain(domain)
    if (parsed !== undefined && !isOurs(parsed)) return true
  }
  return false
}

/** Every part that a machine behind us might take for a domain: each after a percent or at sign, each before a bang. */
const routed = (local: LocalPart): readonly string[] => {
  if (!/[%@!]/.test(local)) return []
  const parts = local.split(/([%@!])/)
  return parts.filter(
    (part, i) => i % 2 === 0 && part !== '' && (parts[i + 1] === '!' || '%@'.includes(parts[i - 1] ?? '!')),
  )
}
