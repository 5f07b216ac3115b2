import type { RemoteReply } from '@posthorn/contracts'
import { isLost, type Conversation, type Heard } from './conversation.ts'
import type { ClientLimits } from './limits.ts'
import { loss, quote, type Trouble } from './outcome.ts'
import type { Target } from './target.ts'

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64')

/** RFC 5321 §4.5.3.1.4: a longer line is not safe, so the response waits for its 334. */
const MAX_LINE = 510

type Credentials = NonNullable<Target['credentials']>

/** Say each response after its 334; what is heard last. */
const exchange = async (c: Conversation, first: string, responses: readonly string[], ms: number): Promise<Heard> => {
  c.say(`${first}\r\n`)
  let heard = await c.hear(ms)
  for (const response of responses) {
    if (isLost(heard) || heard.code !== 334) return heard
    c.say(`${response}\r\n`)
    heard = await c.hear(ms)
  }
  return heard
}

/** RFC 4616, with the response in the command where the line holds it. */
const plain = (c: Conversation, { user, password }: Credentials, ms: number): Promise<Heard> => {
  const response = base64(`\0${user}\0${password}`)
  const line = `AUTH PLAIN ${response}`
  return line.length <= MAX_LINE ? exchange(c, line, [], ms) : exchange(c, 'AUTH PLAIN', [response], ms)
}

const login = (c: Conversation, { user, password }: Credentials, ms: number): Promise<Heard> =>
  exchange(c, 'AUTH LOGIN', [base64(user), base64(password)], ms)

const refused = (reply: RemoteReply): Trouble => ({ phase: 'auth', cause: quote(reply), reply })

/**
 * Log in, if the target has credentials: PLAIN, else LOGIN; never in clear unless the target says so. A refusal is for now: the
 * credentials are ours to put right, the message is not at fault.
 */
export const authenticate = async (c: Conversation, to: Target, limits: ClientLimits): Promise<Trouble | undefined> => {
  const { credentials } = to
  if (credentials === undefined) return undefined
  if (c.tls === undefined && to.authInClear !== true)
    return { phase: 'auth', cause: 'credentials are not sent without TLS', status: '4.7.11' }
  const { auth } = c.features
  const mechanism = auth.includes('PLAIN') ? plain : auth.includes('LOGIN') ? login : undefined
  if (mechanism === undefined)
    return { phase: 'auth', cause: 'the peer offers neither AUTH PLAIN nor LOGIN', status: '4.7.4' }
  const heard = await mechanism(c, credentials, limits.authMs)
  if (isLost(heard)) return loss('auth', heard)
  return heard.code === 235 ? undefined : refused(heard)
}
