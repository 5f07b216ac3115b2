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
import { isStop, stopReply } from '@posthorn/plugin'
import type { Awaitable, Identity } from '@posthorn/contracts'
import type { Reject, Reply } from '@posthorn/reply'
import type { Command } from '@posthorn/smtp'
import { andThen } from './awaitable.ts'
import { mechanismsOf } from './keywords.ts'
import { decodeBase64, saslMechanisms } from './sasl.ts'
import type { Input } from './input.ts'
import type { SaslStep } from './sasl.ts'
import type { Session } from './session.ts'
import type { Said, Stage } from './stage.ts'

type Auth = Extract<Command, { verb: 'AUTH' }>

/** One AUTH from its command to its outcome (RFC 4954 §4). Responses and passwords are in no event and no trace. */
class AuthExchange implements Stage {
  readonly #session: Session
  readonly #mechanism: string
  #step: SaslStep | undefined
  #due: number | undefined

  constructor(session: Session, mechanism: string) {
    this.#session = session
    this.#mechanism = mechanism
  }

  due(now: number): number {
    return (this.#due ??= now + this.#session.desk.limits.commandMs)
  }
  abort(): void {
    this.#step = undefined
  }

  begin(initial: string | undefined): Awaitable<Said> {
    const mechanism = saslMechanisms.get(this.#mechanism)
    if (mechanism === undefined || !mechanismsOf(this.#session.desk.service).includes(this.#mechanism))
      return this.#session.error(mechanismUnknown)
    if (initial === undefined) return this.#take(mechanism(undefined))
    // "=" is an initial response that is there and empty (RFC 4954 §4).
    const response = initial === '=' ? empty : decodeBase64(initial)
    return response === undefined ? this.#refused(badAuthenticationResponse) : this.#take(mechanism(response))
  }
  read(input: Input): Awaitable<Said> | undefined {
    const line = input.line()
    if (line === undefined) return undefined
    this.#due = undefined
    this.#session.trace('C: ***')
    if ('fault' in line) {
      if (line.fault === 'too-long') return this.#refused(authenticationLineTooLong)
      return this.#session.concluded(this.#session.faultyLine(line.fault))
    }
    const step = this.#step
    if (line.text === '*' || step === undefined || !('next' in step)) return this.#refused(authenticationCancelled)
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
    const { user, password } = step
    return this.#check(user, password).then(
      identity => this.#conclude(user, identity),
      (error: unknown) => {
        this.#session.broken(error)
        return this.#end(authenticationFailure)
      },
    )
  }
  /** The authenticator has its time; a client that leaves aborts it. */
  async #check(user: string, password: string): Promise<Identity | undefined> {
    const { service, clock, limits } = this.#session.desk
    const deadline = clock.deadline(limits.authMs, this.#session.connection.signal)
    const { signal } = deadline
    const late = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
    try {
      return await Promise.race([service.authenticator?.password(user, password, signal), late])
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
  #denied(reply: Reply, user: string): Said {
    this.#session.event('auth.failed', { user, mechanism: this.#mechanism, reply: `${reply.code} ${reply.enhanced}` })
    return this.#counted(reply)
  }
  /** The exchange was broken off or could not be read. */
  #refused(reply: Reject): Said {
    this.#session.event('auth.failed', { mechanism: this.#mechanism, reply: `${reply.code} ${reply.enhanced}` })
    return this.#counted(reply)
  }
  #counted(reply: Reply): Said {
    const over = this.#session.budget.authFailure()
    if (over !== undefined) this.#session.lastWords()
    return this.#end(over ?? reply)
  }
  #end(reply: Reply): Said {
    this.#step = undefined
    return this.#session.concluded(encodeReply(reply))
  }
}
const empty = new Uint8Array(0)

/** AUTH. */
export const beginAuth = (session: Session, { mechanism, initial }: Auth): Awaitable<Said> =>
  new AuthExchange(session, mechanism).begin(initial)
