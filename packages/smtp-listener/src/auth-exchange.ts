import {
  authenticationCancelled,
  authenticationFailure,
  authenticationLineTooLong,
  authenticationOk,
  badAuthenticationResponse,
  badCredentials,
  challenge,
  encodeReply,
  mechanismUnknown,
} from '@posthorn/reply'
import { andThen, isStop, stopReply } from '@posthorn/plugin'
import type {
  Authenticator,
  Awaitable,
  Identity,
  PeerCertificate,
  SaslClient,
  ScramVerifier,
} from '@posthorn/contracts'
import type { Reject, Reply } from '@posthorn/reply'
import type { Command } from '@posthorn/smtp'
import { refuseLine } from './faulty-line.ts'
import { isOffered, mechanismsNow } from './keywords.ts'
import { mechanismOf } from './sasl/mechanisms.ts'
import { base64, decodeBase64 } from './sasl/text.ts'
import type { Input } from './input.ts'
import type { SaslContext, SaslQuestion, SaslStep } from './sasl/step.ts'
import type { Session } from './session.ts'
import type { Said, Stage } from './stage.ts'

type Auth = Extract<Command, { verb: 'AUTH' }>

/** One AUTH from its command to its outcome (RFC 4954 §4). Responses and passwords are in no event and no trace. */
class AuthExchange implements Stage, SaslContext {
  readonly #session: Session
  readonly #mechanism: string
  #step: SaslStep | undefined
  #due: number | undefined

  constructor(session: Session, mechanism: string) {
    this.#session = session
    this.#mechanism = mechanism
  }

  due(now: number): number {
    return (this.#due ??= now + this.#session.desk.commandMs)
  }
  abort(): void {
    this.#forget()
  }
  /** Whoever waits for the next response is told that none will come. */
  #forget(): void {
    const step = this.#step
    this.#step = undefined
    if (step !== undefined && 'challenge' in step) step.cancel?.()
  }

  // What mechanisms may know

  get #offered(): readonly string[] {
    return mechanismsNow(this.#session.desk.service, this.#session.standing)
  }
  nonce(): string {
    return base64(this.#session.desk.random.bytes(24))
  }
  binding(): Uint8Array | undefined {
    return this.#session.binding()
  }
  get bindingOffered(): boolean {
    const { authenticator } = this.#session.desk.service
    return (
      authenticator !== undefined && this.#offered.some(name => mechanismOf(authenticator, name)?.needs === 'binding')
    )
  }
  decoy(user: string): ScramVerifier {
    return this.#session.desk.decoy(user)
  }
  get client(): SaslClient {
    const { connection, secure, local } = this.#session
    return { ip: connection.ip, port: connection.port, local, secure }
  }
  get certificate(): PeerCertificate | undefined {
    return this.#session.hello.tls?.peerCertificate
  }

  // The exchange

  begin(initial: string | undefined): Awaitable<Said> {
    const { authenticator } = this.#session.desk.service
    const mechanism = authenticator && mechanismOf(authenticator, this.#mechanism)
    if (mechanism === undefined || !isOffered(this.#session.desk.service, this.#session.standing, this.#mechanism))
      return this.#session.error(mechanismUnknown)
    if (initial === undefined) return this.#take(mechanism.start(undefined, this))
    // "=" is an initial response that is there and empty (RFC 4954 §4).
    const response = initial === '=' ? empty : decodeBase64(initial)
    return response === undefined
      ? this.#refused(badAuthenticationResponse)
      : this.#take(mechanism.start(response, this))
  }
  read(input: Input): Awaitable<Said> | undefined {
    const line = input.line()
    if (line === undefined) return undefined
    this.#due = undefined
    this.#session.trace('C: ***')
    if ('fault' in line) {
      if (line.fault === 'too-long') return this.#refused(authenticationLineTooLong)
      return andThen(refuseLine(this.#session, line.fault), said => this.#session.concluded(said))
    }
    const step = this.#step
    if (line.text === '*' || step === undefined || !('challenge' in step)) return this.#refused(authenticationCancelled)
    const response = decodeBase64(line.text)
    return response === undefined ? this.#refused(badAuthenticationResponse) : this.#take(step.next(response))
  }

  #take(step: SaslStep): Awaitable<Said> {
    this.#step = step
    if ('malformed' in step) return this.#refused(badAuthenticationResponse)
    if ('challenge' in step) {
      this.#session.enter(this)
      return challenge(step.challenge)
    }
    if ('denied' in step) return this.#conclude(step.denied, undefined)
    if ('identity' in step) return this.#conclude(step.identity.user, step.identity)
    const known = this.#known(step)
    if (known !== undefined) return this.#take(known)
    return this.#ask(step).then(
      next => this.#take(next),
      (error: unknown) => {
        this.#session.broken(error)
        return this.#end(authenticationFailure)
      },
    )
  }
  /** What nobody has to wait for: most programs log in again and again, with the same password. */
  #known(question: SaslQuestion): SaslStep | undefined {
    if (question.ask !== 'password') return undefined
    const identity = this.#session.desk.service.authenticator?.recent?.(question.user, question.password)
    return identity && question.next(identity)
  }
  /** The authenticator has its time; a client that leaves aborts it. */
  async #ask(question: SaslQuestion): Promise<SaslStep> {
    const { service, clock, limits } = this.#session.desk
    const deadline = clock.deadline(limits.authMs, this.#session.connection.signal)
    const { signal } = deadline
    const late = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
    try {
      return await Promise.race([answer(question, service.authenticator, signal), late])
    } finally {
      deadline.clear()
    }
  }
  #conclude(user: string, identity: Identity | undefined): Awaitable<Said> {
    const session = this.#session
    const asked = { user: identity?.user ?? user, mechanism: this.#mechanism, ok: identity !== undefined }
    return andThen(session.desk.service.chain.decide('auth', asked, session.hello), answer => {
      if (isStop(answer)) {
        if ('hangUp' in answer) session.lastWords()
        return this.#denied(stopReply(answer), asked.user)
      }
      if (identity === undefined) return this.#denied(badCredentials, user)
      session.user = identity.user
      session.event('auth.ok', { user: identity.user, mechanism: this.#mechanism })
      return this.#end(authenticationOk)
    })
  }
  #denied(reply: Reply, user: string): Awaitable<Said> {
    this.#session.event('auth.failed', { user, mechanism: this.#mechanism, reply: `${reply.code} ${reply.enhanced}` })
    return this.#counted(reply)
  }
  /** The exchange was broken off or could not be read. */
  #refused(reply: Reject): Awaitable<Said> {
    this.#session.event('auth.failed', { mechanism: this.#mechanism, reply: `${reply.code} ${reply.enhanced}` })
    return this.#counted(reply)
  }
  #counted(reply: Reply): Awaitable<Said> {
    const over = this.#session.budget.authFailure()
    if (over !== undefined) this.#session.lastWords()
    return this.#session.slowly(this.#end(over ?? reply))
  }
  #end(reply: Reply): Said {
    this.#forget()
    return this.#session.concluded(encodeReply(reply))
  }
}
const empty = new Uint8Array(0)

const answer = async (
  question: SaslQuestion,
  authenticator: Authenticator | undefined,
  signal: AbortSignal,
): Promise<SaslStep> => {
  if (question.ask === 'exchange') return question.run(signal)
  const { user } = question
  if (question.ask === 'verifier') return question.next(await authenticator?.scram?.(user, signal))
  if (question.ask === 'token') return question.next(await authenticator?.token?.(user, question.token, signal))
  if (question.ask === 'certificate')
    return question.next(await authenticator?.certificate?.(user, question.certificate, signal))
  return question.next(await authenticator?.password?.(user, question.password, signal))
}

/** AUTH. */
export const beginAuth = (session: Session, { mechanism, initial }: Auth): Awaitable<Said> =>
  new AuthExchange(session, mechanism).begin(initial)
