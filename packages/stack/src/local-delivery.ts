import { definePlugin, type Plugin } from '@posthorn/plugin'
import type { Mailboxes } from '@posthorn/contracts'

/** Another server that keeps our mailboxes, reached over LMTP. */
export interface LmtpBackend {
  /** `host:port`, or the path of a socket. */
  readonly address: string
  /** `any`: the backend alone knows its recipients, and refuses what it does not have. */
  readonly recipients: 'listed' | 'any'
}

/** Resolves recipients of our domains to a backend instead of Maildirs. Asked before the mailboxes are, after aliases can't be: those it leaves alone. */
export const lmtpBackend = (backend: LmtpBackend, mailboxes: Mailboxes): Plugin =>
  definePlugin({
    name: 'lmtp-backend',
    setup: () => ({
      resolve: {
        order: 'early',
        run: ({ to }) => {
          if (!mailboxes.isLocalDomain(to.domain)) return undefined
          const known = backend.recipients === 'any' || mailboxes.find(to) !== undefined
          return known ? { transport: 'lmtp', arg: backend.address } : undefined
        },
      },
    }),
  })
