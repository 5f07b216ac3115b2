import { encodeReply, idleTimeout, localError, sessionTooLong } from '@posthorn/reply'
import { stopReply } from '@posthorn/plugin'
import type { Awaitable, Endpoint, EventName, Forwarded, Json, Level, Verdict, Wire } from '@posthorn/contracts'
import type { Stop } from '@posthorn/plugin'
import type { Reply } from '@posthorn/reply'
import { Budget } from './budget.ts'
import { obey } from './command.ts'
import { ConnectionContext, HelloContext } from './context.ts'
import { mayExpand } from './directory.ts'
import { refuseLine } from './faulty-line.ts'
import { handshake, startTls } from './handshake.ts'
import { welcome, welcomeAnother } from './opening.ts'
import { newSessionId } from './session-id.ts'
import { brief, messageOf } from './trace.ts'
import { Turns } from './turns.ts'
import type { Desk } from './desk.ts'
import type { Envelope } from './envelope.ts'
import type { Host } from './host.ts'
import type { Introduction, NewClient } from './introduction.ts'
import type { Input } from './input.ts'
import type { Standing } from './keywords.ts'
import type { Said, Stage } from './stage.ts'
import type { Speaker } from './turns.ts'

type Fields = { readonly [k: string]: Json | undefined }
const noKeywords: ReadonlySet<string> = new Set()
/** One for all: what it says is the same, and a stack would cost each session more than the rest of its end. */
const clientGone = new Error('the client has gone')

/** One client's session: what has been said so far, and what each line changes. */
export class Session implements Speaker {
  readonly id: string
  readonly desk: Desk
  /** Whether it may say for whom it speaks, and where mail came from: by the address it has itself. */
  readonly mayIntroduce: boolean
  readonly mayForward: boolean
  connection: ConnectionContext
  readonly budget: Budget
  hello: HelloContext
  /** How the client said hello, and what it was offered then. */
  greeted: 'EHLO' | 'HELO' | 'LHLO' | undefined
  offered: ReadonlySet<string> = noKeywords
  user: string | undefined
  envelope: Envelope | undefined
  /** What XCLIENT said. */
  introduction: Introduction | undefined
  /** What XFORWARD said, for the transaction to come or at hand. */
  forwarded: Forwarded | undefined
  readonly #wire: Wire
  readonly #turns: Turns
  readonly #host: Host
  readonly #began: number
  #stage: Stage | undefined
  #commandDue: number | undefined
  #messages = 0
  #gone = false

  constructor(desk: Desk, wire: Wire, host: Host) {
    const { service, limits, clock } = desk
    this.desk = desk
    this.id = newSessionId(clock, desk.random)
    const { ip, port } = wire.peer
    this.connection = new ConnectionContext({ service: service.name, session: this.id, ip, port })
    this.hello = new HelloContext(this.connection, wire.tls)
    this.budget = new Budget(limits)
    this.#wire = wire
    this.#host = host
    this.mayIntroduce = desk.mayIntroduce(ip)
    this.mayForward = desk.mayForward(ip)
    this.#began = clock.monotonic()
    const trace = service.trace && ((line: string): void => this.trace(line))
    this.#turns = new Turns(wire, this, { clock, limits, trace })
  }

  get secure(): boolean {
    return this.#wire.tls !== undefined
  }
  get engaged(): boolean {
    return this.#stage !== undefined || this.envelope?.chunked !== undefined
  }
  /** The client has sent more than what is being answered. */
  get pipelines(): boolean {
    return this.#turns.link.input.waiting
  }
  /** What it may be offered. */
  get standing(): Standing {
    const { tls } = this.hello
    return {
      secure: this.secure,
      authenticated: this.user !== undefined,
      binding: tls?.version === 'TLSv1.3' && this.#wire.channelBinding !== undefined,
      certificate: tls?.peerCertificate !== undefined,
      expn: mayExpand(this),
      xclient: this.mayIntroduce,
      xforward: this.mayForward,
    }
  }
  get local(): Endpoint {
    return this.#wire.local
  }
  /** The `tls-exporter` channel binding (RFC 9266 §2). */
  binding(): Uint8Array | undefined {
    return this.#wire.channelBinding?.()
  }
  event(name: EventName, fields: Fields, level: Level = 'info'): void {
    const { service, session, ip } = this.connection
    this.desk.journal.event(name, { session, service, ip, ...fields }, level)
  }
  trace(line: string): void {
    this.desk.service.trace?.(this.id, line)
  }

  // Beginning

  /** TLS first where it is implicit, then the `connect` hook, then the greeting: nothing else is waited for. */
  start(): void {
    if (this.desk.service.implicitTls !== true || this.secure) return this.#turns.open(this.#welcome())
    this.#turns.open(
      handshake(this, this.#wire, this.#turns.link).then(secured => {
        if (secured) return this.#welcome()
        // Nobody was reading yet, so nobody is told by the wire.
        this.#turns.gone(undefined)
        return ''
      }),
    )
  }
  #welcome(): Awaitable<Said> {
    const { link } = this.#turns
    this.#wire.read(link)
    return welcome(this, link.input)
  }
  /** STARTTLS. */
  startTls(): Awaitable<Said> {
    return startTls(this, this.#wire, this.#turns.link)
  }
  /** XCLIENT: from here on it is the session of somebody else, who is asked about like anybody, and greeted. */
  become(client: NewClient, told: () => void): Awaitable<Said> {
    const { service } = this.desk
    const { ip: before } = this.connection
    this.#end(undefined)
    const facts = { service: service.name, session: this.id, ip: client.ip, port: client.port }
    this.connection = new ConnectionContext(facts)
    this.hello = new HelloContext(this.connection, this.#wire.tls)
    this.forget()
    this.user = client.user
    this.introduction = client.introduction
    told()
    return welcomeAnother(this, this.#host.moved(before, client.ip))
  }
  /** Nothing that was said counts any more. */
  forget(): void {
    this.greeted = undefined
    this.offered = noKeywords
    this.user = undefined
    this.reset()
  }
  /** Nothing more is done for this client. */
  #end(error: Error | undefined): void {
    this.connection.end(error ?? clientGone)
    this.desk.service.chain.observe('closed', error === undefined ? {} : { error }, this.connection)
  }

  // Commands

  next(input: Input): Awaitable<Said> | undefined {
    if (this.#stage !== undefined) return this.#stage.read(input)
    const line = input.line()
    if (line === undefined) return undefined
    this.#commandDue = undefined
    return 'fault' in line ? refuseLine(this, line.fault) : obey(this, line.text)
  }
  /** What is answered may not wait for what else the client sent. */
  endGroup(): void {
    this.#turns.endGroup()
  }
  /** Answer a command that was unknown, malformed or out of place. */
  error(reply: Reply): Awaitable<Said> {
    this.#turns.endGroup()
    const over = this.budget.error()
    return this.slowly(over === undefined ? encodeReply(reply) : this.hangUp(over))
  }
  /** The more mistakes, the later their answers: a guesser costs us one session and gets little done. */
  slowly(said: Said): Awaitable<Said> {
    const ms = this.budget.delayMs
    if (ms === 0) return said
    // What was answered before does not wait for it.
    this.#turns.link.flush()
    return this.wait(ms).then(() => said)
  }
  /** Never rejects; over at once when the client has gone. */
  wait(ms: number): Promise<void> {
    return this.desk.clock.sleep(ms, this.connection.signal).catch(() => {})
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
  /** Answer what was pipelined behind a refused command: that is one mistake of the client's, not many (RFC 2920 §3.1). */
  trailing(reply: Reply): Said {
    const over = this.budget.idleCommand()
    return over === undefined ? encodeReply(reply) : this.hangUp(over)
  }
  /** Close after the reply at hand, or after the end of what is being read. No further chunk is waited for. */
  lastWords(): void {
    if (this.#stage === undefined) this.reset()
    this.#turns.lastWords()
  }

  // The transaction

  /** The one way back to where no transaction is. */
  reset(): void {
    this.envelope?.chunked?.content.abort()
    this.envelope = undefined
    this.forwarded = undefined
  }
  enter(stage: Stage): void {
    this.#stage = stage
  }
  /** A chunk is over, and its transaction goes on. */
  leave(said: Said): Said {
    this.#stage = undefined
    return said
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
  /** Report a refusal to the operator, who is asked about it; `by` is the plugin's verdict, when it was one that refused. */
  rejected(at: string, reply: Reply, fields: Fields, by?: Verdict): void {
    if (this.#gone) return
    const culprit = by === undefined ? undefined : { plugin: by.plugin, hook: by.hook }
    const { forwarded } = this
    this.event('message.rejected', { at, reply: brief(reply), ...fields, ...culprit, forwarded })
  }

  // What went wrong, and the end

  /** Report what nobody foresaw. */
  broken(error: unknown): void {
    this.event('error', { where: 'session', message: messageOf(error) }, 'error')
  }
  /** The client learns only that it should try again. */
  failed(error: unknown): Said {
    this.broken(error)
    this.#stage?.abort()
    return this.concluded(encodeReply(localError))
  }
  due(now: number): number {
    if (this.#stage !== undefined) return this.#stage.due(now)
    // Single octets of a line do not prolong it.
    return Math.min((this.#commandDue ??= now + this.desk.commandMs), this.#began + this.desk.limits.sessionMs)
  }
  /** Time has become short: what was granted before counts no more. */
  hurry(): void {
    this.#commandDue = undefined
    this.#turns.hurry()
  }
  tooLate(): Said {
    const past = this.desk.clock.monotonic() >= this.#began + this.desk.limits.sessionMs
    return encodeReply(past && this.#stage === undefined ? sessionTooLong : idleTimeout)
  }
  /** A message comes too slowly: no more of it is read. */
  tooSlow(): Said {
    this.#stage?.abort()
    this.lastWords()
    return this.concluded(encodeReply(idleTimeout))
  }
  /** Say 421 at once, or after the message or command at hand. */
  drain(): void {
    this.#turns.drain()
  }
  /** No more words. */
  cut(): void {
    this.#turns.link.abort()
  }
  gone(error: Error | undefined): void {
    this.#gone = true
    this.#stage?.abort()
    this.reset()
    this.trace('X: closed')
    const ms = Math.round(this.desk.clock.monotonic() - this.#began)
    const { helo } = this.hello
    this.event('session.closed', { ms, messages: this.#messages, helo, error: error?.message }, 'debug')
    this.#end(error)
    this.#host.left(this)
  }
}
