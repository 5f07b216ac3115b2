import { randomBytes } from 'node:crypto'
import type { Random, RemoteReply } from '@posthorn/contracts'
import { isLost, type Conversation, type Heard } from './conversation.ts'
import type { Credentials } from './credentials.ts'
import type { ClientLimits } from './limits.ts'
import { loss, quote, type Trouble } from './outcome.ts'
import { externalRun, loginRun, oauthBearerRun, plainRun, xoauth2Run, type SaslRun } from './sasl.ts'
import { scramRun } from './scram.ts'
import type { Target } from './target.ts'

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64')

/** RFC 5321 §4.5.3.1.4: a longer line is not safe, so the response waits for its 334. */
const MAX_LINE = 510
/** No mechanism of ours needs more challenges. */
const MAX_CHALLENGES = 4

/** What logging in needs from its surroundings. */
export interface AuthContext {
  readonly limits: ClientLimits
  readonly random?: Pick<Random, 'bytes'> | undefined
  readonly signal: AbortSignal
}

/** RFC 4954 §4: no initial response and an empty one are different things. */
const initial = (text: string): string => (text === '' ? '=' : base64(text))

interface Mechanism {
  readonly name: string
  readonly run: SaslRun
}

/** We gave up in the middle; the run says why. */
const gaveUp = 'gave up'

/** One mechanism from its command to its last reply. */
const exchange = async (c: Conversation, { name, run }: Mechanism, ms: number): Promise<Heard | typeof gaveUp> => {
  const whole = run.first === undefined ? `AUTH ${name}` : `AUTH ${name} ${initial(run.first)}`
  const short = whole.length > MAX_LINE
  c.say(`${short ? `AUTH ${name}` : whole}\r\n`)
  let owed = short ? run.first : undefined
  let heard = await c.hear(ms)
  for (let i = 0; i < MAX_CHALLENGES && !isLost(heard) && heard.code === 334; i++) {
    const challenge = Buffer.from(heard.lines[0] ?? '', 'base64').toString('utf8')
    const response = owed ?? (await run.answer(challenge))
    owed = undefined
    c.say(response === undefined ? '*\r\n' : `${base64(response)}\r\n`)
    heard = await c.hear(ms)
    if (response === undefined && run.fault !== undefined) return gaveUp
    if (response === undefined) break
  }
  return heard
}

/** What can be done with a password, the strongest first. */
const withPassword = (
  c: Conversation,
  login: Extract<Credentials, { readonly password: string }>,
  o: AuthContext,
): readonly Mechanism[] => {
  const { user, password } = login
  const { auth } = c.features
  const nonce = Buffer.from(o.random?.bytes(18) ?? randomBytes(18)).toString('base64')
  const data = c.binding
  const bindable = auth.includes('SCRAM-SHA-256-PLUS')
  const scram: Mechanism =
    data !== undefined && bindable
      ? { name: 'SCRAM-SHA-256-PLUS', run: scramRun(login, nonce, { use: 'tls-exporter', data }) }
      : {
          name: 'SCRAM-SHA-256',
          run: scramRun(login, nonce, { use: data === undefined ? 'none' : 'not-offered' }),
        }
  return [
    scram,
    { name: 'PLAIN', run: plainRun(user, password) },
    { name: 'LOGIN', run: loginRun(user, password) },
  ].filter(({ name }) => auth.includes(name))
}
const withToken = (c: Conversation, user: string, token: string, to: Target): readonly Mechanism[] =>
  [
    { name: 'OAUTHBEARER', run: oauthBearerRun(user, token, to) },
    { name: 'XOAUTH2', run: xoauth2Run(user, token) },
  ].filter(({ name }) => c.features.auth.includes(name))

const byCertificate = (c: Conversation, user: string | undefined): readonly Mechanism[] =>
  c.features.auth.includes('EXTERNAL') ? [{ name: 'EXTERNAL', run: externalRun(user ?? '') }] : []

const refused = (reply: RemoteReply, told: string | undefined): Trouble => ({
  phase: 'auth',
  cause: told === undefined ? quote(reply) : `${quote(reply)} (${told})`,
  reply,
})

/** RFC 4954 §4, RFC 4954 §6: this mechanism not, or not for this user; another may do. */
const otherWay = (reply: RemoteReply): boolean => reply.code === 504 || reply.code === 534

const attempt = async (
  c: Conversation,
  mechanisms: readonly Mechanism[],
  o: AuthContext,
): Promise<Trouble | undefined> => {
  let trouble: Trouble = { phase: 'auth', cause: 'the peer offers no way to log in that we have', status: '4.7.4' }
  for (const mechanism of mechanisms) {
    const { name, run } = mechanism
    const heard = await exchange(c, mechanism, o.limits.authMs)
    if (heard !== gaveUp && isLost(heard)) return loss('auth', heard)
    if (heard === gaveUp || heard.code === 235) {
      // RFC 5802 §5: a server that has not proved itself may be anybody, whatever it says.
      if (run.fault === undefined) return undefined
      return { phase: 'auth', cause: `AUTH ${name}: ${run.fault}`, status: '4.7.0' }
    }
    trouble = refused(heard, run.told)
    if (!otherWay(heard)) return trouble
  }
  return trouble
}

const fetched = async (
  credentials: Extract<Credentials, { readonly tokens: unknown }>,
  signal: AbortSignal,
): Promise<string | Trouble> => {
  try {
    return await credentials.tokens.token(signal)
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error)
    return { phase: 'auth', cause: `no access token: ${cause}`, status: '4.7.0', notTried: signal.aborted }
  }
}

/** With a token, and once more with another when the first has just expired. */
const byToken = async (
  c: Conversation,
  credentials: Extract<Credentials, { readonly tokens: unknown }>,
  to: Target,
  o: AuthContext,
): Promise<Trouble | undefined> => {
  const token = await fetched(credentials, o.signal)
  if (typeof token !== 'string') return token
  const trouble = await attempt(c, withToken(c, credentials.user, token, to), o)
  if (trouble?.reply?.code !== 535) return trouble
  credentials.tokens.refused?.(token)
  const other = await fetched(credentials, o.signal)
  if (typeof other !== 'string' || other === token) return trouble
  return attempt(c, withToken(c, credentials.user, other, to), o)
}

/**
 * Log in, if the target has credentials, by the strongest mechanism that both sides have; never in clear unless the target says so. A
 * refusal is for now: the credentials are ours to put right, the message is not at fault.
 */
export const authenticate = async (c: Conversation, to: Target, o: AuthContext): Promise<Trouble | undefined> => {
  const { credentials } = to
  if (credentials === undefined) return undefined
  if (c.tls === undefined && to.authInClear !== true)
    return { phase: 'auth', cause: 'credentials are not sent without TLS', status: '4.7.11' }
  if ('external' in credentials) return attempt(c, byCertificate(c, credentials.user), o)
  return 'password' in credentials ? attempt(c, withPassword(c, credentials, o), o) : byToken(c, credentials, to, o)
}
