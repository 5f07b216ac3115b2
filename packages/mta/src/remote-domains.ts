import { definePlugin } from '@posthorn/plugin'
import type { Plugin, Resolved } from '@posthorn/plugin'

export interface RemoteDomainsOptions {
  readonly isLocalDomain: (domain: string) => boolean
  /** Send everything through this host instead of the recipients' own exchanges. */
  readonly smarthost?: { readonly host: string; readonly port: number }
  /** Keep it all here: what would leave goes to the trap. Wins over `smarthost`. */
  readonly trap?: boolean
}

/** Resolves what is not ours to the way out: MX, a smarthost, or the trap. Asked last, so that anything else may answer first. */
export const remoteDomains = (o: RemoteDomainsOptions): Plugin =>
  definePlugin({
    name: 'remote-domains',
    setup: () => ({
      resolve: {
        order: 'late',
        run: ({ to }) => (o.isLocalDomain(to.domain) ? undefined : wayOut(o, to.domain)),
      },
    }),
  })

const wayOut = (o: RemoteDomainsOptions, domain: string): Resolved => {
  if (o.trap === true) return { transport: 'trap', arg: '' }
  if (o.smarthost !== undefined) return { transport: 'smtp', arg: `${o.smarthost.host}:${o.smarthost.port}` }
  return { transport: 'mx', arg: domain }
}
