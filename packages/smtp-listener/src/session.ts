import {
  authenticationLineTooLong,
  banner,
  defer,
  encodeReply,
  idleTimeout,
  lineTooLong,
  localError,
  malformedLine,
  pipelinedStartTls,
  readyForTls,
  reject,
  sessionTooLong,
  shuttingDown,
  tooManyErrors,
  wrongProtocol,
} from '@posthorn/reply'
import { isStop, stopReply } from '@posthorn/plugin'
import { parseCommand } from '@posthorn/smtp'
import type { Awaitable, EventName, Json, Level, Wire } from '@posthorn/contracts'
import type { Stop } from '@posthorn/plugin'
import type { Reply } from '@posthorn/reply'
import { andThen, isPending } from './awaitable.ts'
import { Budget } from './budget.ts'
import { ConnectionContext, HelloContext } from './context.ts'
import { Deadline } from './deadline.ts'
import { Link } from './link.ts'
import { newSessionId } from './session-id.ts'
import { traced } from './trace.ts'
import { perform, verbs } from './verbs.ts'
import type { Desk } from './desk.ts'
import type { Envelope } from './envelope.ts'
import type { LineFault } from './input.ts'
import type { LinkOwner } from './link.ts'
import type { Said, Stage } from './stage.ts'

type Fields = { readonly [k: string]: Json | undefined }
const noKeywords: ReadonlySet<string> = new Set()

/** A browser, or somebody who makes one speak to us (row `Host:` too). No verb of SMTP begins so. */
const otherProtocol = /^(?:(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE|PRI) |HOST:)/i

/** One client's session: its state, and the loop that reads, acts and answers. */
export class Session implements LinkOwner {
  readonly id: string
  readonly desk: Desk
  readonly connection: ConnectionContext
  readonly budget: Budget
  hello: HelloContext
  /** How the client said hello, and what it was offered then. */
  greeted: 'EHLO' | 'HELO' | 'LHLO' | undefined
  offered: ReadonlySet<string> = noKeywords
  user: string | undefined
  envelope: Envelope | undefined
  readonly #link: Link
  readonly #deadline: Deadline
  readonly #left: (session: Session) => void
  readonly #began: number
  #stage: Stage | undefined
  /** An answer is awaited, or the loop runs. */
  #busy = true
  #endsGroup = false
  #last = false
  #draining = false
  #gone = false
  #commandDue: number | undefined
  #messages = 0

  /** `left` is called once, when the wire has closed. */
  constructor(desk: Desk, wire: Wire, left: (session: Session) => void) {
    const { service, limits, clock } = desk
    this.desk = desk
    this.id = newSessionId(clock, desk.random)
    this.#left = left
    this.#began = clock.monotonic()
    this.connection = new ConnectionContext({
      service: service.name,
      session: this.id,
      ip: wire.peer.ip,
      port: wire.peer.port,
    })
    this.hello = new HelloContext(this.connection, wire.tls)
    this.budget = new Budget(limits)
    this.#deadline = new Deadline(clock, () => this.#expired())
    const { trace } = service
    this.#link = new Link(wire, limits, this, trace && (line => trace(this.id, line)))
  }

  get secure(): boolean {
    return this.#link.wire.tls !== undefined
  }
  event(name: EventName, fields: Fields, level: Level = 'info'): void {
    const { service, session, ip } = this.connection
    this.desk.journal.event(name, { session, service, ip, ...fields }, level)
  }

  // Beginning

  /** TLS first where it is implicit, then the `connect` hook, then the greeting: nothing else is waited for. */
  start(): void {
    const { tls, implicitTls } = this.desk.service
    if (implicitTls === true && tls !== undefined && !this.secure) {
      this.#await(andThen(this.#handshake(), secured => (secured ? this.#welcome() : '')))
      return
    }
    this.#await(this.#welcome())
  }
  #welcome(): Awaitable<Said> {
    const { chain } = this.desk.service
    this.#link.wire.read(this.#link)
    return andThen(chain.decide('connect', { ip: this.connection.ip }, this.connection), answer => {
      const { input } = this.#link
      this.event('session.opened', { early: input.waiting, tls: this.hello.tls?.version }, 'debug')
      if (!isStop(answer))
        return banner(this.desk.service.hostname, this.desk.service.protocol === 'lmtp' ? 'LMTP' : 'ESMTP')
      this.lastWords()
      const reply = atConnect(stopReply(answer))
      this.event('session.refused', { reply: brief(reply) })
      return encodeReply(reply)
    })
  }
  /** After it nothing that was said in clear counts any more (RFC 3207 §4.2). Answers whether it succeeded. */
  async #handshake(): Promise<boolean> {
    const { desk, connection } = this
    const { tls } = desk.service
    if (tls === undefined) return false
    const deadline = desk.clock.deadline(desk.limits.tlsMs, connection.signal)
    try {
      this.hello = new HelloContext(connection, await this.#link.wire.secureServer(tls, deadline.signal))
    } catch (error) {
      this.event('session.refused', { why: `TLS: ${messageOf(error)}` })
      this.#link.abort()
      if (this.greeted === undefined) this.gone(undefined)
      return false
    } finally {
      deadline.clear()
    }
    this.#link.input.clear()
    this.greeted = undefined
    this.offered = noKeywords
    this.user = undefined
    this.reset()
    return true
  }
  /** STARTTLS. Octets behind it were sent in clear and would be taken for what TLS protects, so they end the session. */
  startTls(): Awaitable<Said> {
    const { input } = this.#link
    if (input.waiting) {
      this.lastWords()
      return encodeReply(pipelinedStartTls)
    }
    this.#link.say(encodeReply(readyForTls))
    this.#link.flush()
    return this.#handshake().then(() => '')
  }

  // The loop

  wake(): void {
    if (this.#busy || this.#link.congested) return
    this.#busy = true
    for (let more = true; more;) more = this.#turn()
  }
  /** Whether there is more to do at once. */
  #turn(): boolean {
    let said: Awaitable<Said> | undefined
    try {
      said = this.#next()
    } catch (error) {
      said = this.#failed(error)
    }
    if (said === undefined) return this.#starved()
    if (isPending(said)) {
      this.#await(said)
      return false
    }
    return this.#say(said)
  }
  #next(): Awaitable<Said> | undefined {
    const { input } = this.#link
    if (this.#stage !== undefined) return this.#stage.read(input)
    const line = input.line()
    if (line === undefined) return undefined
    this.#commandDue = undefined
    return 'fault' in line ? this.faultyLine(line.fault) : this.#command(line.text)
  }
  #await(answer: Awaitable<Said>): void {
    this.#deadline.set(this.desk.clock.monotonic() + this.desk.limits.answerMs)
    if (!isPending(answer)) return this.#answered(answer)
    void answer.then(
      said => this.#answered(said),
      (error: unknown) => this.#answered(this.#failed(error)),
    )
  }
  #answered(said: Said): void {
    this.#busy = false
    if (this.#gone || this.#link.closing) return
    if (this.#say(said)) this.wake()
  }
  #say(said: Said): boolean {
    this.#link.say(said)
    if (this.#draining && this.#stage === undefined && !this.#last) {
      this.#link.say(encodeReply(shuttingDown))
      this.#last = true
    }
    if (this.#last && this.#stage === undefined) return this.#close()
    if (this.#endsGroup) {
      this.#endsGroup = false
      this.#link.flush()
    }
    if (!this.#link.congested) return true
    this.#deadline.set(this.desk.clock.monotonic() + this.desk.limits.commandMs)
    this.#busy = false
    return false
  }
  /** All that came has been read: what was gathered leaves, and time begins to run. */
  #starved(): boolean {
    this.#busy = false
    this.#link.flush()
    if (this.#link.ended) return this.#close()
    const now = this.desk.clock.monotonic()
    const { commandMs, sessionMs } = this.desk.limits
    if (this.#stage !== undefined) this.#deadline.set(this.#stage.due(now))
    else this.#deadline.set(Math.min((this.#commandDue ??= now + commandMs), this.#began + sessionMs))
    this.#link.relax()
    return false
  }

  // Commands

  #command(text: string): Awaitable<Said> {
    const { limits, domain } = this.desk
    this.desk.service.trace?.(this.id, traced(text))
    if (otherProtocol.test(text)) return this.hangUp(wrongProtocol)
    const isAuth = /^auth /i.test(text)
    if (text.length + 2 > (isAuth ? limits.authLine : limits.commandLine))
      return this.error(isAuth ? authenticationLineTooLong : lineTooLong)
    const utf8 = this.envelope?.smtputf8 === true
    const parsed = parseCommand(text, { utf8, offered: this.offered, domain })
    if (parsed.ok) {
      this.#endsGroup = verbs[parsed.command.verb].endsGroup
      return perform(this, parsed.command)
    }
    // What follows a chunk that cannot be counted is its payload, not commands (RFC 3030 §4.2).
    if (parsed.verb === 'BDAT') return this.hangUp(parsed.reply)
    if (parsed.verb === 'MAIL' || parsed.verb === 'RCPT')
      this.rejected(parsed.verb.toLowerCase(), parsed.reply, { line: text.slice(0, 200) })
    return this.error(parsed.reply)
  }
  faultyLine(fault: LineFault): Said {
    this.desk.service.trace?.(this.id, `# ${fault} line`)
    if (fault === 'too-long') return this.error(lineTooLong)
    // What follows might be the rest of a line to somebody else: nothing after it is believed.
    return this.hangUp(fault === 'endless' ? tooManyErrors : malformedLine)
  }
  /** Answer a command that was unknown, malformed or out of place. */
  error(reply: Reply): Said {
    this.#endsGroup = true
    const over = this.budget.error()
    return over === undefined ? encodeReply(reply) : this.hangUp(over)
  }
  /** Answer with a plugin's refusal. */
  refuse(stop: Stop): Said {
    if ('hangUp' in stop) this.lastWords()
    return encodeReply(stopReply(stop))
  }
  /** The last reply of the session. */
  hangUp(reply: Reply): Said {
    this.lastWords()
    return encodeReply(reply)
  }
  /** Close after the reply at hand. */
  lastWords(): void {
    this.#last = true
  }

  // The transaction

  /** The one way back to where no transaction is. */
  reset(): void {
    this.envelope = undefined
  }
  enter(stage: Stage): void {
    this.#stage = stage
  }
  /** A stage is over, and with it the transaction if there was one; this is to say. */
  concluded(said: Said): Said {
    this.#stage = undefined
    this.reset()
    return said
  }
  /** A message was accepted. */
  brought(): void {
    this.#messages += 1
    this.budget.message()
  }
  rejected(at: string, reply: Reply, fields: Fields): void {
    if (!this.#gone) this.event('message.rejected', { at, reply: brief(reply), ...fields })
  }
  /** Report what nobody foresaw; the client learns only that it should try again. */
  broken(error: unknown): void {
    this.event('error', { where: 'session', message: messageOf(error) }, 'error')
  }
  #failed(error: unknown): Said {
    this.broken(error)
    this.#stage?.abort()
    this.#stage = undefined
    this.reset()
    return encodeReply(localError)
  }

  // The end

  timedOut(): Said {
    this.#stage?.abort()
    this.#stage = undefined
    return this.hangUp(idleTimeout)
  }
  #expired(): void {
    const tooLong = this.#stage === undefined && this.desk.clock.monotonic() >= this.#began + this.desk.limits.sessionMs
    this.#link.say(encodeReply(tooLong ? sessionTooLong : idleTimeout))
    this.#close()
  }
  /** Say 421 at once, or after the message or command at hand. */
  drain(): void {
    this.#draining = true
    if (this.#busy || this.#stage !== undefined || this.#link.closing) return
    this.#link.say(encodeReply(shuttingDown))
    this.#close()
  }
  #close(): false {
    this.#busy = true
    this.#deadline.clear()
    this.#stage?.abort()
    this.#link.close()
    return false
  }
  cut(): void {
    this.#link.abort()
  }
  gone(error: Error | undefined): void {
    if (this.#gone) return
    this.#gone = true
    this.#busy = true
    this.#deadline.clear()
    this.#stage?.abort()
    this.desk.service.trace?.(this.id, 'X: closed')
    const ms = Math.round(this.desk.clock.monotonic() - this.#began)
    this.event(
      'session.closed',
      { ms, messages: this.#messages, helo: this.hello.helo, error: error?.message },
      'debug',
    )
    this.connection.end(error ?? new Error('the client has gone'))
    this.desk.service.chain.observe('closed', error === undefined ? {} : { error }, this.connection)
    this.#left(this)
  }
}

/** At the greeting there are two ways to refuse (RFC 5321 §3.1, §4.3.2; 521 is RFC 7504's). */
const atConnect = (reply: Reply<4 | 5>): Reply<4 | 5> => {
  const lines = reply.lines as readonly [string, ...string[]]
  if (reply.class === 4)
    return reply.code === 421 ? reply : defer(421, reply.enhanced as `4.${number}.${number}`, ...lines)
  const lawful = reply.code === 554 || reply.code === 521
  return lawful ? reply : reject(554, reply.enhanced as `5.${number}.${number}`, ...lines)
}

const brief = (reply: Reply): string => `${reply.code} ${reply.enhanced} ${reply.lines[0] ?? ''}`
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
