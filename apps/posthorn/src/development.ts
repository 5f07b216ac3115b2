import type { ConfigInput } from '@posthorn/stack'

/** The one user of development mode. `.test` never leaves this machine (RFC 2606 §2). */
export const developmentUser = 'me@posthorn.test'

const ports = { mx: 2525, submission: 2587, submissions: 2465, lmtp: 2424 } as const

/** What runs when no configuration is given: everything on loopback, on ports that need no privilege. */
export const developmentConfig = (o: { readonly send?: boolean; readonly anyPort?: boolean }): ConfigInput => {
  const at = (name: keyof typeof ports) => ({ host: '127.0.0.1', port: o.anyPort === true ? 0 : ports[name] })
  return {
    hostname: 'posthorn.test',
    domains: ['posthorn.test'],
    listeners: { mx: at('mx'), submission: at('submission'), submissions: at('submissions'), lmtp: at('lmtp') },
    outbound: o.send === true ? 'mx' : 'trap',
  }
}
