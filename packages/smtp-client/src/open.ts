import { parseEhlo } from '@posthorn/smtp'
import type { Clock, Network, Phase, Random, Wire } from '@posthorn/contracts'
import { authenticate } from './auth.ts'
import { Conversation, isLost, type Heard } from './conversation.ts'
import { featuresOf, noFeatures } from './features.ts'
import type { ClientLimits } from './limits.ts'
import { classOf, loss, quote, type Trouble } from './outcome.ts'
import { nameOf, type Target } from './target.ts'

/** What opening needs from its surroundings. */
export interface OpenContext {
  readonly network: Network
  readonly clock: Clock
  /** What we call ourselves in EHLO. */
  readonly hostname: string
  readonly limits: ClientLimits
  readonly random?: Pick<Random, 'bytes'>
}
/** A conversation ready for MAIL, or why there is none. */
export type Opened =
  | { readonly ok: true; readonly conversation: Conversation }
  | { readonly ok: false; readonly trouble: Trouble; readonly remote: string; readonly conversation?: Conversation }

/**
 * Before MAIL every no is for now, also one of class 5: it is about us, our address or our login, never about the message, and
 * another exchanger or another day may say yes.
 */
const unwelcome = (phase: Phase, heard: Heard): Trouble =>
  isLost(heard) ? loss(phase, heard) : { phase, cause: quote(heard), reply: heard }

const CAUSES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'no route to network',
  ETIMEDOUT: 'connection timed out',
  EADDRNOTAVAIL: 'the source address is not one of this machine',
}

const dialFailure = (error: unknown, ms: number, signal: AbortSignal): Trouble => {
  if (signal.aborted) return { phase: 'connect', cause: 'given up by us', status: '4.4.1', notTried: true }
  const { code, name, message } = error as Error & { readonly code?: unknown }
  const known = typeof code === 'string' ? CAUSES[code] : undefined
  const cause = known ?? (name === 'TimeoutError' ? `no connection within ${Math.round(ms / 1000)} seconds` : message)
  return { phase: 'connect', cause, status: '4.4.1' }
}

const dial = async (to: Target, o: OpenContext, signal: AbortSignal): Promise<Wire | Trouble> => {
  const ms = o.limits.connectMs
  const deadline = o.clock.deadline(ms, signal)
  try {
    return await o.network.dial(
      {
        host: to.ip ?? to.host,
        port: to.port,
        ...(to.source === undefined ? {} : { source: to.source }),
        ...(to.path === undefined ? {} : { path: to.path }),
      },
      deadline.signal,
    )
  } catch (error) {
    return dialFailure(error, ms, signal)
  } finally {
    deadline.clear()
  }
}

const banner = async (c: Conversation, o: OpenContext): Promise<Trouble | undefined> => {
  const heard = await c.hear(o.limits.bannerMs)
  return isLost(heard) || heard.code !== 220 ? unwelcome('banner', heard) : undefined
}

const hello = async (c: Conversation, to: Target, o: OpenContext): Promise<Trouble | undefined> => {
  c.say(`${to.protocol === 'lmtp' ? 'LHLO' : 'EHLO'} ${o.hostname}\r\n`)
  const heard = await c.hear(o.limits.ehloMs)
  if (isLost(heard)) return unwelcome('ehlo', heard)
  if (heard.code === 250) {
    c.features = featuresOf(parseEhlo(heard))
    return undefined
  }
  // RFC 5321 §3.2: a server without extensions answers 5xx to EHLO. LMTP has no older form (RFC 2033 §4.1).
  if (classOf(heard) !== 5 || to.protocol === 'lmtp') return unwelcome('ehlo', heard)
  c.features = noFeatures
  c.say(`HELO ${o.hostname}\r\n`)
  const old = await c.hear(o.limits.ehloMs)
  return isLost(old) || old.code !== 250 ? unwelcome('ehlo', old) : undefined
}

const handshake = async (
  c: Conversation,
  to: Target,
  o: OpenContext,
  signal: AbortSignal,
): Promise<Trouble | undefined> => {
  const why = await c.secure(to.tls, o.limits.tlsMs, signal)
  if (why === undefined) return undefined
  return { phase: 'tls', cause: `TLS failed: ${why}`, status: '4.7.5', notTried: signal.aborted }
}

const startTls = async (
  c: Conversation,
  to: Target,
  o: OpenContext,
  signal: AbortSignal,
): Promise<Trouble | undefined> => {
  const { level, because } = to.tls
  if (level === 'never') return undefined
  if (!c.features.startTls)
    return level === 'may'
      ? undefined
      : { phase: 'tls', cause: `TLS is required (${because}) and not offered`, status: '4.7.4' }
  c.say('STARTTLS\r\n')
  const heard = await c.hear(o.limits.ehloMs)
  if (isLost(heard)) return unwelcome('tls', heard)
  if (heard.code !== 220) return level === 'may' && heard.code !== 421 ? undefined : unwelcome('tls', heard)
  // RFC 3207 §6: what came before the handshake may be anybody's.
  if (!c.quiet) return { phase: 'tls', cause: 'the peer spoke on in clear after agreeing to STARTTLS', status: '4.7.5' }
  return (await handshake(c, to, o, signal)) ?? hello(c, to, o)
}

const converse = async (
  c: Conversation,
  to: Target,
  o: OpenContext,
  signal: AbortSignal,
): Promise<Trouble | undefined> => {
  if (to.implicitTls === true) {
    const trouble = await handshake(c, to, o, signal)
    if (trouble !== undefined) return trouble
  }
  c.listen()
  return (
    (await banner(c, o)) ??
    (await hello(c, to, o)) ??
    (to.implicitTls === true ? undefined : await startTls(c, to, o, signal)) ??
    (await authenticate(c, to, { limits: o.limits, random: o.random, signal }))
  )
}

/** Dial, greet, secure and log in. Never rejects for what a peer does. */
export const openConversation = async (to: Target, o: OpenContext, signal: AbortSignal): Promise<Opened> => {
  const wire = await dial(to, o, signal)
  if ('phase' in wire) return { ok: false, trouble: wire, remote: nameOf(to) }
  const conversation = new Conversation(wire, o.clock, {
    remote: nameOf(to, to.ip ?? wire.peer.ip),
    tlsPolicy: to.tls.because,
  })
  const stop = (): void => conversation.lose({ lost: 'aborted', cause: 'given up by us', status: '4.4.2' })
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  try {
    const trouble = await converse(conversation, to, o, signal)
    if (trouble === undefined) return { ok: true, conversation }
    const { remote } = conversation
    const failed: Opened = { ok: false, trouble, remote, conversation }
    conversation.quit()
    return failed
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
