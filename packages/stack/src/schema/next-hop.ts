import { z } from 'zod'
import { port, secret } from './value.ts'

/** What TLS towards a server must achieve. */
export const tlsLevel = z.enum(['never', 'may', 'encrypt', 'verify'])

const isSafeUrl = (text: string): boolean => {
  const url = URL.parse(text)
  return (
    url?.protocol === 'https:' || (url?.protocol === 'http:' && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname))
  )
}
const auth = z.union([
  /** `external`: by the certificate. */
  z.enum(['password', 'external']),
  z.strictObject({
    /** Tokens instead of a password, for OAUTHBEARER and XOAUTH2. */
    oauth2: z.strictObject({
      tokenUrl: z.string().refine(isSafeUrl, { error: 'is not an https URL' }),
      clientId: z.string().min(1),
      clientSecret: secret.optional(),
      refreshToken: secret,
      scope: z.string().optional(),
    }),
  }),
])

/** A server that takes what we do not deliver ourselves. */
export const nextHop = z.strictObject({
  host: z.string().min(1),
  port: port.default(25),
  tls: tlsLevel.optional(),
  /** PEM file of the authorities to trust instead of the system's. */
  ca: z.string().optional(),
  implicitTls: z.boolean().optional(),
  /** PEM files of our certificate, leaf first, and of its key, shown where the server asks for one. */
  certificate: z.strictObject({ cert: z.string(), key: z.string() }).optional(),
  user: z.string().optional(),
  /** From a file or the environment, so that the configuration can be shown to others. */
  password: secret.optional(),
  auth: auth.optional(),
})

/** Such a server with defaults filled in. */
export type NextHop = z.output<typeof nextHop>
