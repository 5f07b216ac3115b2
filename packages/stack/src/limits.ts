import type { Limits } from '@posthorn/smtp-listener'
import type { Config } from './schema.ts'

/** Users may have their mail wait for so long (RFC 4865). */
const LONGEST_HOLD = 7 * 86_400_000

const common = ({ limits, timeouts }: Config): Partial<Limits> => ({
  messageBytes: limits.messageSize,
  headerBytes: limits.headerSize,
  recipients: limits.recipients,
  sessions: limits.connections,
  sessionsPerClient: limits.connectionsPerAddress,
  errors: limits.errors,
  recipientFailures: limits.unknownRecipients,
  authFailures: limits.authFailures,
  idleCommands: limits.idleCommands,
  tarpitAfter: limits.tarpitAfter,
  tarpitMs: limits.tarpit,
  messageRate: limits.minimumRate,
  commandMs: timeouts.command,
  dataMs: timeouts.data,
  messageMs: timeouts.message,
  sessionMs: timeouts.session,
  stressMs: timeouts.stress,
  tlsMs: timeouts.tls,
  authMs: timeouts.auth,
  proxyMs: timeouts.proxy,
  answerMs: timeouts.answer,
})

/** What a client of each kind of service may cost. */
export const limitsOf = (config: Config): Readonly<Record<'mx' | 'submission' | 'lmtp', Partial<Limits>>> => {
  const all = common(config)
  return {
    // Only other servers are made to wait: users' programs show it, and over LMTP there is nobody to be wary of.
    mx: { ...all, greetDelayMs: config.limits.greetDelay },
    submission: { ...all, futureReleaseMs: LONGEST_HOLD },
    lmtp: all,
  }
}
