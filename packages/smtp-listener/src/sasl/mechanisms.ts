import type { Authenticator } from '@posthorn/contracts'
import { oauthBearer, xoauth2 } from './bearer.ts'
import { external } from './external.ts'
import { login } from './login.ts'
import { passedOn } from './passed-on.ts'
import { plain } from './plain.ts'
import { scramSha256, scramSha256Plus } from './scram.ts'
import type { SaslMechanism } from './step.ts'

/** A mechanism and what must be there for it. */
interface Offer {
  readonly start: SaslMechanism
  /** What the authenticator must be able to do. */
  readonly by: keyof Authenticator
  /** Of the connection: a channel binding, or a certificate of the client's. */
  readonly needs?: 'binding' | 'certificate'
}

/** The mechanisms there are, by their registered names, in the order in which they are offered. */
export const saslMechanisms: ReadonlyMap<string, Offer> = new Map<string, Offer>([
  ['PLAIN', { start: plain, by: 'password' }],
  ['LOGIN', { start: login, by: 'password' }],
  ['SCRAM-SHA-256-PLUS', { start: scramSha256Plus, by: 'scram', needs: 'binding' }],
  ['SCRAM-SHA-256', { start: scramSha256, by: 'scram' }],
  ['OAUTHBEARER', { start: oauthBearer, by: 'token' }],
  ['XOAUTH2', { start: xoauth2, by: 'token' }],
  ['EXTERNAL', { start: external, by: 'certificate', needs: 'certificate' }],
])

/** Whether there is a mechanism of this name for an authenticator: its own goes before ours. */
export const mechanismOf = (authenticator: Authenticator, name: string): Offer | undefined => {
  const { sasl } = authenticator
  if (sasl?.mechanisms.includes(name) === true) return { start: passedOn(sasl, name), by: 'sasl' }
  const offer = saslMechanisms.get(name)
  return offer === undefined || authenticator[offer.by] === undefined ? undefined : offer
}

/** All that this authenticator can work with. */
export const mechanismsFor = (authenticator: Authenticator): readonly string[] => [
  ...new Set([
    ...(authenticator.sasl?.mechanisms ?? []),
    ...[...saslMechanisms].filter(([, { by }]) => authenticator[by] !== undefined).map(([name]) => name),
  ]),
]
