import { readFileSync } from 'node:fs'
import { X509Certificate } from 'node:crypto'
import type { CertificatePair, Clock } from '@posthorn/contracts'
import type { Credentials } from '@posthorn/smtp-client'
import { checkPair } from '@posthorn/tls-policy'
import { ConfigError } from './config.ts'
import type { NextHop } from './schema/next-hop.ts'
import { readSecret } from './secret.ts'
import { createTokenSource, type OAuth2 } from './token-source.ts'

/** How we log in at a smarthost, its secrets read. */
type SmarthostLogin =
  | ({ readonly user: string } & ({ readonly password: string } | { readonly oauth2: OAuth2 }))
  | { readonly external: true; readonly user?: string }

/** Read the secrets of a smarthost; undefined when it has none. Throws ConfigError naming the key. */
export const smarthostLogin = ({ user, password, auth }: NextHop): SmarthostLogin | undefined => {
  if (auth === 'external') return { external: true, ...(user === undefined ? {} : { user }) }
  if (user === undefined) return undefined
  if (typeof auth === 'object') {
    const { tokenUrl, clientId, clientSecret, refreshToken, scope } = auth.oauth2
    const secret = (key: string, from: typeof refreshToken): string =>
      readSecret(`outbound.smarthost.auth.oauth2.${key}`, from)
    return {
      user,
      oauth2: {
        tokenUrl,
        clientId,
        refreshToken: secret('refreshToken', refreshToken),
        ...(clientSecret === undefined ? {} : { clientSecret: secret('clientSecret', clientSecret) }),
        ...(scope === undefined ? {} : { scope }),
      },
    }
  }
  return password === undefined ? undefined : { user, password: readSecret('outbound.smarthost.password', password) }
}

/** The same for the client. */
export const credentialsOf = (hop: NextHop, clock: Clock): Credentials | undefined => {
  const login = smarthostLogin(hop)
  if (login === undefined || 'password' in login || 'external' in login) return login
  return { user: login.user, tokens: createTokenSource(login.oauth2, clock) }
}

/** What we show to a smarthost that asks for a certificate. Throws ConfigError when the files are not there or do not belong together. */
export const certificateOf = ({ certificate }: NextHop): CertificatePair | undefined => {
  if (certificate === undefined) return undefined
  const { cert, key } = certificate
  try {
    return checkPair({ certPem: readFileSync(cert, 'utf8'), keyPem: readFileSync(key, 'utf8') }, cert, key)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new ConfigError([{ path: 'outbound.smarthost.certificate', message }])
  }
}

/** The authorities that vouch for a smarthost (PEM); undefined: those of the system. Throws ConfigError when the file has none. */
export const authoritiesOf = ({ ca }: NextHop): readonly string[] | undefined => {
  if (ca === undefined) return undefined
  try {
    const found = readFileSync(ca, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
    if (found.length === 0) throw new Error('it has no certificate in PEM')
    for (const pem of found) void new X509Certificate(pem)
    return found
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new ConfigError([{ path: 'outbound.smarthost.ca', message: `${ca} can't be used: ${why}` }])
  }
}
