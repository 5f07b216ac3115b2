import {
  alreadyAuthenticated,
  authenticationInTransaction,
  badSequence,
  binaryNeedsBdat,
  closing,
  encodeReply,
  encryptionRequired,
  helloFirst,
  helpFor,
  mailFirst,
  nestedMail,
  noDataAfterBdat,
  notImplemented,
  notTrusted,
  ok,
  startTlsFirst,
  tlsAlreadyActive,
  tlsTooLate,
  tooBig,
  tooManyRecipients,
} from '@posthorn/reply'
import { andThen, isStop, stopReply } from '@posthorn/plugin'
import type { Awaitable } from '@posthorn/contracts'
import type { DecideHook, HookContext, HookIn, HookOut, Stop } from '@posthorn/plugin'
import type { Reply } from '@posthorn/reply'
import type { Command, Verb } from '@posthorn/smtp'
import { beginAuth } from './auth-exchange.ts'
import { takeChunk } from './chunk.ts'
import { beginData, refuseData, withoutRecipients } from './data.ts'
import { expand, verify } from './directory.ts'
import { Envelope } from './envelope.ts'
import { greet, greetFirst, wrongHello } from './hello.ts'
import { forward, introduce } from './introduction.ts'
import { mayAuthenticate } from './keywords.ts'
import { runQueue } from './queue-run.ts'
import { addRecipient, recipientOf, refuseRecipient } from './recipient.ts'
import { deliverByOf, scheduledReply, scheduleFault } from './schedule.ts'
import { stateOf } from './state.ts'
import type { HelloContext } from './context.ts'
import type { HelloCommand } from './hello.ts'
import type { Session } from './session.ts'
import type { Said } from './stage.ts'
import type { State } from './state.ts'

/** What is known of a verb. The order of the questions is the order of the fields. */
interface Row<C extends Command> {
  /** Where it may come, and what is said elsewhere. */
  readonly in: readonly State[]
  readonly otherwise?: (state: State, session: Session) => Reply
  /** Allowed before TLS where the service requires that (RFC 3207 §4). */
  readonly beforeTls: boolean
  /** Its reply may not wait for those of later commands (RFC 2920 §3.2). */
  readonly endsGroup: boolean
  /** Brings no mail; only so many are answered. */
  readonly idle: boolean
  /** What needs no plugin. */
  readonly check?: (session: Session, command: C) => Reply | undefined
  readonly act: (session: Session, command: C) => Awaitable<Said>
}

/** A row whose verb is put to the plugins before anything changes. `X` is the context that they see and `act` then adopts. */
interface AskingRow<C extends Command, H extends DecideHook, X extends HookContext<H>> extends Omit<Row<C>, 'act'> {
  readonly ask: H
  readonly context: (session: Session, command: C) => X
  readonly input: (command: C, context: X) => HookIn<H>
  readonly refused?: (session: Session, context: X, input: HookIn<H>, stop: Stop) => Awaitable<Said>
  readonly act: (
    session: Session,
    command: C,
    context: X,
    asked: { readonly input: HookIn<H>; readonly answer: Exclude<HookOut<H>, Stop> },
  ) => Awaitable<Said>
}

const asking = <C extends Command, H extends DecideHook, X extends HookContext<H>>(
  row: AskingRow<C, H, X>,
): Row<C> => ({
  ...row,
  act: (session, command) => {
    const context = row.context(session, command)
    const input = row.input(command, context)
    return andThen(session.desk.service.chain.decide(row.ask, input, context), answer => {
      if (!isStop(answer))
        return row.act(session, command, context, { input, answer: answer as Exclude<HookOut<H>, Stop> })
      return row.refused === undefined ? session.refuse(answer) : row.refused(session, context, input, answer)
    })
  },
})

const anywhere: readonly State[] = ['start', 'ready', 'mail', 'rcpt', 'bdat']

const said = (reply: Reply) => (): Said => encodeReply(reply)

const hello: Row<HelloCommand> = asking<HelloCommand, 'ehlo', HelloContext>({
  in: anywhere,
  beforeTls: true,
  endsGroup: true,
  idle: true,
  check: wrongHello,
  ask: 'ehlo',
  context: (session, { name }) => session.hello.named(session.introduction?.helo ?? name),
  input: (_command, { helo }) => helo,
  act: greet,
})

type CommandOf<V extends Verb> = Command extends infer C
  ? C extends { readonly verb: infer W }
    ? V extends W
      ? C
      : never
    : never
  : never

/** The transaction that is there: rows that use it are only reached with one. */
const envelopeOf = (session: Session): Envelope => {
  if (session.envelope === undefined) throw new Error('no transaction in a state that has one')
  return session.envelope
}

/** Every verb that the grammar knows. */
export const verbs: { readonly [V in Verb]: Row<CommandOf<V>> } = {
  EHLO: hello,
  HELO: hello,
  LHLO: hello,
  MAIL: asking({
    in: ['ready'],
    otherwise: state => (state === 'start' ? helloFirst : nestedMail),
    beforeTls: false,
    endsGroup: false,
    idle: false,
    check: (session, { params }) =>
      (params.size ?? 0) > session.desk.limits.messageBytes ? tooBig : scheduleFault(session, params),
    ask: 'mail',
    context: (session, { from, params }) => new Envelope(session.hello, session.user, from, params),
    input: ({ from }) => from,
    refused: (session, context, sender, stop) => {
      session.rejected('mail', stopReply(stop), { sender: sender?.wire ?? '' }, context.lastVerdict)
      return session.refuse(stop)
    },
    act: (session, { params }, envelope) => {
      if (params.deliverBy !== undefined) envelope.deliverBy = deliverByOf(params, session.desk.clock.wall())
      session.envelope = envelope
      return encodeReply(scheduledReply(session, envelope.params))
    },
  }),
  RCPT: asking({
    in: ['mail', 'rcpt'],
    otherwise: state => (state === 'start' ? helloFirst : state === 'bdat' ? badSequence : mailFirst),
    beforeTls: false,
    endsGroup: false,
    idle: false,
    check: ({ desk, envelope }) =>
      (envelope?.answered.length ?? 0) < desk.limits.recipients ? undefined : tooManyRecipients,
    ask: 'rcpt',
    context: envelopeOf,
    input: recipientOf,
    refused: (session, envelope, recipient, stop) =>
      refuseRecipient(session, envelope, recipient, { stop, by: envelope.lastVerdict }),
    act: (session, _command, envelope, { input, answer }) => addRecipient(session, envelope, input, answer),
  }),
  DATA: asking({
    in: ['rcpt'],
    otherwise: (state, session) => {
      if (state === 'start') return helloFirst
      if (state === 'ready') return mailFirst
      return state === 'bdat' ? noDataAfterBdat : withoutRecipients(session)
    },
    beforeTls: false,
    endsGroup: true,
    idle: false,
    check: ({ envelope }) => (envelope?.params.body === 'binarymime' ? binaryNeedsBdat : undefined),
    ask: 'data',
    context: envelopeOf,
    input: (_command, { accepted }) => accepted,
    refused: (session, envelope, _accepted, stop) => refuseData(session, envelope, stop),
    act: (session, _command, envelope) => beginData(session, envelope),
  }),
  // It asks its questions itself: the octets behind it are no commands, also where it is refused.
  BDAT: { in: anywhere, beforeTls: true, endsGroup: false, idle: false, act: takeChunk },
  RSET: {
    in: anywhere,
    beforeTls: false,
    endsGroup: false,
    idle: true,
    act: session => {
      session.reset()
      return encodeReply(ok)
    },
  },
  NOOP: { in: anywhere, beforeTls: true, endsGroup: true, idle: true, act: said(ok) },
  HELP: {
    in: anywhere,
    beforeTls: false,
    endsGroup: true,
    idle: true,
    act: (_session, { argument }) => encodeReply(helpFor(argument)),
  },
  VRFY: { in: anywhere, beforeTls: false, endsGroup: true, idle: true, act: verify },
  EXPN: { in: anywhere, beforeTls: false, endsGroup: true, idle: true, act: expand },
  ETRN: {
    in: ['ready'],
    otherwise: state => (state === 'start' ? helloFirst : badSequence),
    beforeTls: false,
    endsGroup: true,
    idle: true,
    act: runQueue,
  },
  STARTTLS: {
    in: ['ready'],
    otherwise: state => (state === 'start' ? helloFirst : tlsTooLate),
    beforeTls: true,
    endsGroup: true,
    idle: false,
    check: ({ secure, desk }) => {
      if (secure) return tlsAlreadyActive
      return desk.service.tls === undefined ? notImplemented : undefined
    },
    act: session => session.startTls(),
  },
  AUTH: {
    in: ['ready'],
    otherwise: state => (state === 'start' ? helloFirst : authenticationInTransaction),
    beforeTls: false,
    endsGroup: true,
    idle: false,
    check: ({ desk: { service }, secure, user, greeted: by }) => {
      if (user !== undefined) return alreadyAuthenticated
      if (service.authenticator === undefined || by === 'HELO') return notImplemented
      return mayAuthenticate(service, { secure, authenticated: false }) ? undefined : encryptionRequired
    },
    act: beginAuth,
  },
  XCLIENT: {
    in: ['start', 'ready'],
    otherwise: () => badSequence,
    beforeTls: false,
    endsGroup: true,
    idle: true,
    check: ({ mayIntroduce }) => (mayIntroduce ? undefined : notTrusted),
    act: introduce,
  },
  XFORWARD: {
    in: ['start', 'ready'],
    otherwise: () => badSequence,
    beforeTls: false,
    endsGroup: false,
    idle: true,
    check: ({ mayForward }) => (mayForward ? undefined : notTrusted),
    act: forward,
  },
  QUIT: {
    in: anywhere,
    beforeTls: true,
    endsGroup: true,
    idle: false,
    act: session => {
      session.lastWords()
      return encodeReply(closing)
    },
  },
}

/** What was pipelined behind a refused MAIL or RCPT is one mistake of the client's, not many (RFC 2920 §3.1). */
const followsOthers: ReadonlySet<Verb> = new Set<Verb>(['RCPT', 'DATA'])

const outOfPlace = (session: Session, { verb }: Command, found: Reply): Awaitable<Said> => {
  const reply = found === helloFirst ? greetFirst(session) : found
  return followsOthers.has(verb) ? session.trailing(reply) : session.error(reply)
}

/** Check, ask, act: the one road of every command that could be read. */
export const perform = (session: Session, command: Command): Awaitable<Said> => {
  const row = verbs[command.verb] as Row<Command>
  const state = stateOf(session)
  if (!row.in.includes(state)) return outOfPlace(session, command, row.otherwise?.(state, session) ?? helloFirst)
  if (!row.beforeTls && session.desk.service.requireTls === true && !session.secure) return session.error(startTlsFirst)
  const over = row.idle ? session.budget.idleCommand() : undefined
  if (over !== undefined) return session.hangUp(over)
  const refusal = row.check?.(session, command)
  if (refusal === undefined) return row.act(session, command)
  // One recipient too many is no mistake: the client sends the rest in another transaction (RFC 5321 §4.5.3.1.10).
  return refusal.class === 4 ? encodeReply(refusal) : session.error(refusal)
}
