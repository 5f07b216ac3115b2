import { bodyOf } from '@posthorn/message'
import type { Mailbox } from '@posthorn/address'
import type { Clock, Journal, Network, Outcome, Random, TlsFacts } from '@posthorn/contracts'
import type { ConversionPolicy } from './conversion.ts'
import type { Conversation } from './conversation.ts'
import { withoutChunking } from './features.ts'
import { fitted } from './fitness.ts'
import { defaultLimits, type ClientLimits } from './limits.ts'
import type { Mail } from './mail.ts'
import { openConversation, type Opened } from './open.ts'
import { outcomeOf, type Trouble } from './outcome.ts'
import { Pool } from './pool.ts'
import { keyOf, nameOf, type Target } from './target.ts'
import { transact, type Result } from './transaction.ts'
import { Unchunked } from './unchunked.ts'

export interface ClientOptions {
  readonly network: Network
  readonly clock: Clock
  /** What we call ourselves in EHLO. */
  readonly hostname: string
  readonly limits?: Partial<ClientLimits>
  /** For the nonces of SCRAM; the system's when absent. */
  readonly random?: Pick<Random, 'bytes'>
  /** For peers without 8BITMIME or BINARYMIME; `unsigned` when absent. What is not converted fails with 5.6.3. */
  readonly convert?: ConversionPolicy
  readonly journal?: Journal
  /** Told once of each new connection that came as far as TLS would begin. */
  readonly onSession?: (to: Target, session: Session) => void
}

/** What became of TLS on a new connection; without both it was not offered and not asked for. */
interface Session {
  readonly ip?: string
  readonly tls?: TlsFacts
  /** Why it failed. */
  readonly fault?: string
}

/** Sends messages to peers over SMTP and LMTP; keeps connections for the next message. */
export interface SmtpClient {
  /** One outcome per recipient, in their order. Never rejects: an unknown failure is `deferred`. */
  send(mail: Mail, to: Target, signal: AbortSignal): Promise<readonly Outcome[]>
  /** Ask whether the peer would take this recipient from the null sender; `delivered` at phase `rcpt` when it would. Sends nothing. */
  probe(rcpt: Mailbox, to: Target, signal: AbortSignal): Promise<Outcome>
  /** Connections that wait for their next message. */
  readonly idle: number
  /** End the idle connections and wait for those at work; later messages are `deferred`. */
  close(): Promise<void>
}

const aborted: Trouble = { phase: 'connect', cause: 'given up by us', status: '4.3.0', notTried: true }
const shutDown: Trouble = { phase: 'connect', cause: 'the client is closed', status: '4.3.2', notTried: true }

/** One message, or one question about a recipient. */
interface Task {
  readonly mail: Mail
  readonly to: Target
  readonly signal: AbortSignal
  readonly probe: boolean
}

const sameForAll = ({ mail, to }: Task, trouble: Trouble, remote: string = nameOf(to)): readonly Outcome[] =>
  mail.recipients.map(() => outcomeOf(trouble, { remote, tls: undefined, tlsPolicy: to.tls.because }))

/** How many of the first recipients one transaction may have (RFC 9422 §4.2, RFC 9422 §4.3). */
const recipientsFor = (
  recipients: Mail['recipients'],
  { maxRecipients, maxDomains }: Conversation['features'],
): number => {
  if (maxDomains === Infinity) return maxRecipients
  const domains = new Set<string>()
  const tooMany = recipients.findIndex(({ to }) => domains.add(to.domain).size > maxDomains)
  return tooMany === -1 ? maxRecipients : Math.min(tooMany, maxRecipients)
}

/** An LMTP server delivers while we wait: it has no later to be told of (RFC 2852 §1, RFC 2033 §4.2). */
const withoutTime = (mail: Mail): Mail => {
  if (mail.deliverBy === undefined) return mail
  const { deliverBy: _, ...rest } = mail
  return rest
}

const tellSession = (to: Target, opened: Opened, tell: NonNullable<ClientOptions['onSession']>): void => {
  const ip = to.ip === undefined ? {} : { ip: to.ip }
  const tls = opened.conversation?.tls
  if (opened.ok || tls !== undefined) return tell(to, { ...ip, ...(tls === undefined ? {} : { tls }) })
  const { phase, cause, notTried } = opened.trouble
  if (phase === 'tls' && notTried !== true) tell(to, { ...ip, fault: cause })
}

class Client implements SmtpClient {
  readonly #o: ClientOptions
  readonly #limits: ClientLimits
  readonly #pool: Pool
  readonly #unchunked: Unchunked
  #active = 0
  #closed = false
  #onQuiet: (() => void)[] = []

  constructor(o: ClientOptions) {
    this.#o = o
    this.#limits = { ...defaultLimits, ...o.limits }
    this.#pool = new Pool(o.clock, this.#limits)
    this.#unchunked = new Unchunked(o.clock)
  }
  get idle(): number {
    return this.#pool.size
  }

  send(mail: Mail, to: Target, signal: AbortSignal): Promise<readonly Outcome[]> {
    return this.#guarded({ mail, to, signal, probe: false })
  }
  async probe(rcpt: Mailbox, to: Target, signal: AbortSignal): Promise<Outcome> {
    const mail: Mail = {
      returnPath: null,
      recipients: [{ to: rcpt }],
      body: bodyOf(new Uint8Array()),
      smtputf8: false,
      eightBit: '7bit',
      requireTls: false,
    }
    const [outcome] = await this.#guarded({ mail, to, signal, probe: true })
    return outcome ?? outcomeOf(aborted, { remote: nameOf(to), tls: undefined, tlsPolicy: to.tls.because })
  }
  async close(): Promise<void> {
    this.#closed = true
    this.#pool.close()
    if (this.#active > 0) await new Promise<void>(resolve => this.#onQuiet.push(resolve))
  }

  /** The one place where an unknown exception becomes a deferral. */
  async #guarded(task: Task): Promise<readonly Outcome[]> {
    if (this.#closed) return sameForAll(task, shutDown)
    if (task.signal.aborted) return sameForAll(task, aborted)
    this.#active++
    try {
      return await this.#deliver(task)
    } catch (error) {
      if (task.signal.aborted) return sameForAll(task, aborted)
      const cause = error instanceof Error ? error.message : String(error)
      this.#o.journal?.event('error', { component: 'smtp-client', cause }, 'error')
      return sameForAll(task, { phase: 'connect', cause: 'internal error', status: '4.3.0' })
    } finally {
      this.#active--
      if (this.#active === 0) for (const resolve of this.#onQuiet.splice(0)) resolve()
    }
  }
  async #deliver(task: Task): Promise<readonly Outcome[]> {
    const kept = this.#pool.take(keyOf(task.to))
    if (kept !== undefined) {
      const result = await this.#over(kept, task)
      if (!result.stale && result.chunks !== 'unknown') return result.outcomes
    }
    const opened = await openConversation(task.to, { ...this.#o, limits: this.#limits }, task.signal)
    if (this.#o.onSession !== undefined) tellSession(task.to, opened, this.#o.onSession)
    if (!opened.ok) {
      const tls = opened.conversation?.tls
      return task.mail.recipients.map(() =>
        outcomeOf(opened.trouble, { remote: opened.remote, tls, tlsPolicy: task.to.tls.because }),
      )
    }
    const result = await this.#over(opened.conversation, task)
    // Only once: from now on this peer gets DATA.
    return result.chunks === 'unknown' ? this.#deliver(task) : result.outcomes
  }

  /** Over one conversation, which afterwards is kept or ended. RFC 9422 §3: more recipients than it takes go in parts. */
  #over(c: Conversation, task: Task): Promise<Result> {
    const most = recipientsFor(task.mail.recipients, c.features)
    return task.mail.recipients.length <= most ? this.#transact(c, task) : this.#inParts(c, task, most)
  }
  async #inParts(c: Conversation, task: Task, most: number): Promise<Result> {
    const { recipients } = task.mail
    const first = await this.#transact(c, { ...task, mail: { ...task.mail, recipients: recipients.slice(0, most) } })
    // Nothing was said of anybody: what became of the first part became of all.
    if (first.stale || first.chunks === 'unknown')
      return { ...first, outcomes: recipients.flatMap((_, i) => first.outcomes[i % most] ?? []) }
    const rest = await this.#deliver({ ...task, mail: { ...task.mail, recipients: recipients.slice(most) } })
    return { outcomes: [...first.outcomes, ...rest], stale: false }
  }
  async #transact(c: Conversation, task: Task): Promise<Result> {
    const stop = (): void => c.lose({ lost: 'aborted', cause: 'given up by us', status: '4.4.2' })
    task.signal.addEventListener('abort', stop, { once: true })
    try {
      const { to, probe, signal } = task
      if (c.features.chunking && (to.chunking === false || this.#unchunked.has(keyOf(to))))
        c.features = withoutChunking(c.features)
      const given = to.protocol === 'lmtp' ? withoutTime(task.mail) : task.mail
      const fit = fitted(given, {
        features: c.features,
        secured: c.tls !== undefined,
        clock: this.#o.clock,
        policy: this.#o.convert ?? 'unsigned',
        signal,
      })
      const mail = fit instanceof Promise ? await fit : fit
      if ('phase' in mail) return { outcomes: task.mail.recipients.map(() => outcomeOf(mail, c)), stale: false }
      if (mail !== given) this.#tellConverted(given, mail, c)
      const result = await transact(c, {
        mail,
        protocol: to.protocol,
        limits: this.#limits,
        clock: this.#o.clock,
        probe,
      })
      if (result.chunks !== undefined) this.#noteChunks(result, c, task)
      return result
    } catch (error) {
      c.lose({ lost: 'aborted', cause: 'internal error', status: '4.3.0' })
      throw error
    } finally {
      task.signal.removeEventListener('abort', stop)
      this.#release(c, task.to)
    }
  }
  /** The journal says why the same peer is asked again, and for an hour not by BDAT. */
  #noteChunks({ outcomes }: Result, c: Conversation, { mail: { id }, to }: Task): void {
    this.#unchunked.note(keyOf(to))
    const cause = outcomes.find(({ phase }) => phase === 'data' || phase === 'dot')?.cause
    this.#o.journal?.event('delivery.unchunked', { id, remote: c.remote, cause }, 'warn')
  }
  #tellConverted(from: Mail, to: Mail, c: Conversation): void {
    this.#o.journal?.event('delivery.converted', {
      id: from.id,
      remote: c.remote,
      from: from.eightBit,
      to: to.eightBit,
      size: from.body.size,
      newSize: to.body.size,
    })
  }
  #release(c: Conversation, to: Target): void {
    if (c.lost !== undefined) return
    const most = Math.min(to.messagesPerConnection ?? this.#limits.messagesPerConnection, c.features.maxMessages)
    if (!this.#closed && c.quiet && c.messages < most) this.#pool.put(keyOf(to), c)
    else c.quit()
  }
}

/** Make a client. It owns its connections until `close`. */
export const createClient = (o: ClientOptions): SmtpClient => new Client(o)
