import type { ConfigInput } from '@posthorn/stack'

/** The one user of development mode. `.test` never leaves this machine (RFC 2606 §2). */
export const developmentUser = 'me@posthorn.test'

/** What runs when no configuration is given: everything on loopback, on ports that need no privilege. */
export const developmentConfig = (send: boolean): ConfigInput => ({
  hostname: 'posthorn.test',
  domains: ['posthorn.test'],
  listeners: {
    mx: { host: '127.0.0.1', port: 2525 },
    submission: { host: '127.0.0.1', port: 2587 },
    submissions: { host: '127.0.0.1', port: 2465 },
    lmtp: { host: '127.0.0.1', port: 2424 },
  },
  outbound: send ? 'mx' : 'trap',
})
