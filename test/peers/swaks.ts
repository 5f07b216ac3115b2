import { run, type Ran } from './command.ts'

/** One message as swaks sends it. Its transcript is on standard output. */
export interface SwaksMail {
  readonly port: number
  readonly from: string
  readonly to: string
  readonly subject: string
  readonly body?: string
  readonly tls?: 'starttls' | 'implicit'
  readonly login?: { readonly mechanism: 'PLAIN' | 'LOGIN'; readonly user: string; readonly password: string }
}

/** Send with swaks to a server on loopback. */
export const swaks = (m: SwaksMail): Promise<Ran> => {
  const tls = { starttls: ['--tls'], implicit: ['--tls-on-connect'], none: [] }[m.tls ?? 'none']
  const login =
    m.login === undefined
      ? []
      : ['--auth', m.login.mechanism, '--auth-user', m.login.user, '--auth-password', m.login.password]
  const content = ['--header', `Subject: ${m.subject}`, '--body', m.body ?? `.dot first\nbody of ${m.subject}`]
  const server = ['--server', '127.0.0.1', '--port', String(m.port)]
  return run('swaks', [...server, ...tls, ...login, '--from', m.from, '--to', m.to, ...content])
}
