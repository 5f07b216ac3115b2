import type { Mailbox } from '@posthorn/address'
import type { Body, Headers } from '@posthorn/message'
import type {
  Awaitable,
  Clock,
  Injection,
  KeyValue,
  Level,
  Notify,
  Origin,
  Outcome,
  QueueId,
  Random,
  Resolver,
  Route,
  SiteKey,
  TlsFacts,
} from '@posthorn/contracts'
import type { Pass, Permit, Stop } from './verdict.ts'
import type { Slots } from './slot.ts'

/** A recipient as the envelope names it. */
export interface Recipient {
  readonly to: Mailbox
  readonly orcpt?: string
  readonly notify?: Notify
  readonly returnPath?: Mailbox | null
}
export interface Message {
  readonly headers: Headers
  /** What follows the header block. */
  readonly body: Body
}

/** The context grows with the dialogue: each hook sees what has been said so far. */
export interface OnConnect extends Slots {
  /** Of the listening service: `mx`, `submission`, … */
  readonly service: string
  readonly session: string
  readonly ip: string
  readonly port: number
  /** Aborts when the hook's deadline passes or the client has gone. */
  readonly signal: AbortSignal
}
export interface OnHello extends OnConnect {
  readonly helo: string
  readonly tls: TlsFacts | undefined
}
export interface OnMail extends OnHello {
  readonly sender: Mailbox | null
  readonly user: string | undefined
  readonly smtputf8: boolean
  readonly requireTls: boolean
}
export interface OnRcpt extends OnMail {
  readonly accepted: readonly Recipient[]
}
/** Asked of every message that enters the queue, whatever its origin. */
export interface OnEnqueue extends Slots {
  readonly queueId: QueueId
  readonly origin: Origin
  readonly user: string | undefined
  readonly sender: Mailbox | null
  /** What the sender calls its message in reports (RFC 3461 §4.4). */
  readonly envid?: string | undefined
  readonly rcpts: readonly Recipient[]
  readonly signal: AbortSignal
}
export interface OnDelivery extends Slots {
  readonly queueId: QueueId
  readonly origin: Origin
  readonly user: string | undefined
  readonly sender: Mailbox | null
  readonly rcpt: Recipient
  readonly site: SiteKey
  readonly tries: number
  readonly size: number
  readonly tags: readonly string[]
  readonly signal: AbortSignal
}

/** What a plugin may change on the way in. Fields are `[name, value]`; the value is folded if need be. */
export interface Edit {
  readonly prepend?: readonly (readonly [name: string, value: string])[]
  /** Field names of which all occurrences go. */
  readonly remove?: readonly string[]
  readonly addRecipients?: readonly Recipient[]
  readonly returnPath?: Mailbox | null
  readonly tags?: readonly string[]
  /** Smaller goes first. */
  readonly priority?: number
}
/** What may be changed last of all: nothing that is there already, or the signatures over it would break. */
export type Seal = Pick<Edit, 'prepend'> & { readonly [K in Exclude<keyof Edit, 'prepend'>]?: never }
/**
 * What an address is: a mailbox of ours, other addresses, or something a transport takes (`mx` with a domain for mail that leaves).
 * `keep` is the mailbox that gets a copy besides the others: a forward cannot name its own address, which would be a loop.
 */
export type Resolved =
  | { readonly mailbox: string }
  | { readonly expand: readonly Recipient[]; readonly returnPath?: Mailbox | null; readonly keep?: string }
  | { readonly transport: string; readonly arg: string }
/** How a message may end besides going on. */
export type Ending =
  { readonly hold: string } | { readonly discard: string } | { readonly each: ReadonlyMap<Recipient, Pass | Stop> }
export interface Egress {
  /** Sites with the same lane share its limits. */
  readonly lane?: string
  readonly concurrency?: number
  readonly perSecond?: number
  readonly messagesPerConnection?: number
  /** The local address to send from. */
  readonly source?: string
}
export interface Wait {
  /** In milliseconds. */
  readonly wait: number
  readonly why: string
}

interface Decide<C, I, More = never> {
  kind: 'decide'
  ctx: C
  in: I
  out: Pass | Stop | More
}
interface Claim<C, I, O> {
  kind: 'claim'
  ctx: C
  in: I
  out: O | undefined
}
interface Gather<C, I, O> {
  kind: 'gather'
  ctx: C
  in: I
  out: O | undefined
}
interface Observe<C, I> {
  kind: 'observe'
  ctx: C
  in: I
  out: void
}

/**
 * Every hook, in the order of a message's life. `decide` hooks answer pass or a stop; the first answer of a `claim` hook
 * wins; the answers of a `gather` hook are all applied in order; `observe` hooks only look.
 */
export interface HookMap {
  connect: Decide<OnConnect, { readonly ip: string }>
  ehlo: Decide<OnHello, string>
  auth: Decide<OnHello, { readonly user: string; readonly mechanism: string; readonly ok: boolean }>
  mail: Decide<OnMail, Mailbox | null>
  rcpt: Decide<OnRcpt, Recipient, Permit>
  resolve: Claim<OnRcpt, Recipient, Resolved | Stop>
  data: Decide<OnRcpt, readonly Recipient[]>
  headers: Decide<OnRcpt, Headers>
  message: Decide<OnRcpt, Message, Ending>
  stamp: Gather<OnEnqueue, Message, Edit>
  seal: Gather<OnEnqueue, Message, Seal>
  returnPath: Claim<OnDelivery, Recipient, Mailbox>
  route: Claim<OnDelivery, Recipient, Route>
  egress: Claim<{ readonly signal: AbortSignal }, { readonly site: SiteKey; readonly mx: readonly string[] }, Egress>
  attempt: Decide<OnDelivery, Route, Wait | { readonly hold: string }>
  queued: Observe<OnEnqueue, readonly Recipient[]>
  settled: Observe<OnDelivery, Outcome>
  closed: Observe<OnConnect, { readonly error?: Error }>
}
export type HookName = keyof HookMap
export type HookIn<H extends HookName> = HookMap[H]['in']
export type HookContext<H extends HookName> = HookMap[H]['ctx']
export type HookOut<H extends HookName> = HookMap[H]['out']
export type HookFn<H extends HookName> = (input: HookIn<H>, ctx: HookContext<H>) => Awaitable<HookOut<H>>

/** A plugin's answers. `early` runs before the others of the hook, `late` after them. */
export type Hooks = {
  readonly [H in HookName]?: HookFn<H> | { readonly run: HookFn<H>; readonly order?: 'early' | 'late' }
}

/** What a plugin is given at set-up; valid until `stop`. */
export interface Host {
  /** The plugin's own name-space. */
  readonly kv: KeyValue
  readonly dns: Resolver
  readonly clock: Clock
  readonly random: Random
  /** Aborts when the stack stops. */
  readonly signal: AbortSignal
  readonly log: (
    level: Level,
    event: string,
    fields: Readonly<Record<string, string | number | boolean | null>>,
  ) => void
  /** Ask the next hop whether it would take this recipient, without sending. */
  readonly probe: (rcpt: Mailbox, signal: AbortSignal) => Promise<Outcome>
  readonly inject: (
    message: Pick<Injection, 'sender' | 'bytes'> & {
      readonly origin: 'list' | 'api'
      readonly rcpts: readonly Recipient[]
    },
  ) => Promise<QueueId>
  /** Claim nothing of that site for `ms`. */
  readonly pause: (site: SiteKey, ms: number, why: string) => Promise<void>
}

/** A transport of a plugin's own, named in `resolve` or `route` answers. */
export type PluginTransport = (arg: string, message: Message, ctx: OnDelivery, host: Host) => Promise<Outcome>

export interface Plugin {
  /** Lower case, digits and dashes; unique in a chain. */
  readonly name: string
  /** Names of plugins that, where present, run before this one within the same tier. */
  readonly after?: readonly string[]
  readonly setup: (host: Host) => Awaitable<Hooks>
  readonly stop?: () => Awaitable<void>
  readonly provides?: {
    /** EHLO keywords with their parameters. */
    readonly ehlo?: readonly string[]
    readonly transports?: Readonly<Record<string, PluginTransport>>
  }
}

/** Throws TypeError unless the name can be part of an event's name and of a key's name-space. */
export const checkName = (plugin: Plugin): void => {
  if (!/^[a-z][a-z0-9-]{0,63}$/.test(plugin.name))
    throw new TypeError(`plugin name ${JSON.stringify(plugin.name)} is not lower-case letters, digits and dashes`)
}

/** Declare a plugin; checks its name and gives the hooks their types. */
export const definePlugin = (plugin: Plugin): Plugin => {
  checkName(plugin)
  return Object.freeze(plugin)
}
