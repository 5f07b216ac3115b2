import { readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { connect as connectTls, TLSSocket } from 'node:tls'
import { run } from './command.ts'
import { startGreeted } from './greeted.ts'

export interface GsaslLogin {
  readonly mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-256-PLUS'
  readonly user: string
  readonly password: string
  /** Whom it trusts (PEM file); anybody when absent. */
  readonly ca?: string
}

/** GNU SASL's own command, over STARTTLS; answers all that was said, the last reply too, and whether it holds the server for genuine. */
const gsasl = async (port: number, { mechanism, user, password, ca = '' }: GsaslLogin) => {
  const args = ['--smtp', '--starttls', `--connect=127.0.0.1:${port}`, `--x509-ca-file=${ca}`, '--mechanism', mechanism]
  // Where it knows of a binding it takes no mechanism without.
  const binding = mechanism === 'SCRAM-SHA-256' ? ['--no-cb'] : []
  const who = ['--authentication-id', user, '--authorization-id', '', '--password', password]
  const { code, stdout, stderr } = await run('gsasl', [...args, ...binding, ...who])
  return { said: stdout, trusted: code === 0 && stderr.includes('server trusted'), complaint: stderr }
}

/** Log in with it at a port that offers STARTTLS. It does not say EHLO before, so that something has to do that for it. */
export const gsaslLogin = async (port: number, login: GsaslLogin): ReturnType<typeof gsasl> => {
  const greeted = await startGreeted(port)
  try {
    return await gsasl(greeted.port, login)
  } finally {
    await greeted.stop()
  }
}

const fixture = (ending: string): string => readFileSync(new URL(`fixtures/rsa.${ending}`, import.meta.url), 'utf8')

/** The same through a man in the middle, who has a certificate of his own and reads everything; `port` has TLS from the first octet. */
export const gsaslLoginIntercepted = async (port: number, login: GsaslLogin): ReturnType<typeof gsasl> => {
  const server = createServer(client => {
    client.on('error', () => undefined)
    client.write('220 mx.example.org ESMTP\r\n')
    const begin = (chunk: Buffer): void => {
      // Its line comes in two pieces.
      if (!chunk.includes('\n')) return
      client.off('data', begin)
      client.write('220 2.0.0 go ahead\r\n')
      const secure = new TLSSocket(client, { isServer: true, cert: fixture('crt'), key: fixture('key') })
      secure.on('error', () => undefined)
      secure.once('secure', () => {
        const peer = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
        peer.on('error', () => undefined)
        peer.once('close', () => secure.destroy())
        secure.once('close', () => peer.destroy())
        // The greeting that the client has had already.
        peer.once('data', () => secure.pipe(peer).pipe(secure))
      })
    }
    client.on('data', begin)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  try {
    return await gsasl((server.address() as AddressInfo).port, login)
  } finally {
    await new Promise(resolve => server.close(resolve))
  }
}
