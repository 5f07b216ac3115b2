import type { Clock } from '@posthorn/contracts'
import type { Credentials } from '@posthorn/smtp-client'
import type { NextHop } from './schema.ts'
import { readSecret } from './secret.ts'
import { createTokenSource, type OAuth2 } from './token-source.ts'

/** How we log in at a smarthost, its secrets read. */
type SmarthostLogin = { readonly user: string } & ({ readonly password: string } | { readonly oauth2: OAuth2 })

/** Read the secrets of a smarthost; undefined when it has none. Throws ConfigError naming the key. */
export const smarthostLogin = ({ user, password, auth }: NextHop): SmarthostLogin | undefined => {
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
  if (login === undefined || 'password' in login) return login
  return { user: login.user, tokens: createTokenSource(login.oauth2, clock) }
}
