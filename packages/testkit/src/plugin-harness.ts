import { parseMailbox } from '@posthorn/address'
import type { Mailbox } from '@posthorn/address'
import type { KeyValue, Notify, Origin, Outcome, Resolver, Route, SiteKey, Verdict } from '@posthorn/contracts'
import { bodyOf, headerEnd, parseHeaders, utf8 } from '@posthorn/message'
import { createChain, isStop } from '@posthorn/plugin'
import type { Chain, Claimed, Gathered, HookOut, Message, Plugin, Recipient, Slots } from '@posthorn/plugin'
import { manualClock, seededRandom } from './clock.ts'
import type { ManualClock } from './clock.ts'
import { memoryKeyValue } from './memory-keyvalue.ts'
import { TestConnection, TestDelivery, TestEnqueue, TestTransaction } from './plugin-contexts.ts'
import type { Outgoing, Who } from './plugin-contexts.ts'
import { testHost } from './plugin-host.ts'
import type { Asked } from './plugin-host.ts'
import { staticResolver } from './static-resolver.ts'
import type { Records } from './static-resolver.ts'

/** What a plugin under test finds around it. Everything has a default that touches no network, no disk and no real time. */
export interface TestPluginOptions {
  /** Set slots that other plugins would have set: called for every new connection. */
  readonly slots?: (slots: Slots) => void
  /** DNS as a table; names that are not in it do not exist. */
  readonly dns?: Records | Resolver
  readonly kv?: KeyValue
  readonly clock?: ManualClock
  /** What the next hop says of a recipient; it takes everyone when absent. */
  readonly probe?: (rcpt: Mailbox) => Outcome
  /** Plugins that are in the chain too, before this one. */
  readonly with?: readonly Plugin[]
  /** Where messages come from, for `stamp` and what follows; `mx` when absent. */
  readonly origin?: Origin
  readonly who?: Who
  /** For all plugins of one hook; 30 s when absent. */
  readonly deadlineMs?: number
}

const taken: Outcome = { fate: 'delivered', phase: 'rcpt', cause: 'the test says so' }

const mailbox = (address: string): Mailbox => {
  const parsed = parseMailbox(address, { smtputf8: true })
  if (parsed === undefined) throw new TypeError(`${JSON.stringify(address)} is no mail address`)
  return parsed
}

/** A message from text: LF or CRLF, header section, empty line, body. */
export const messageOf = (text: string): Message => {
  const bytes = utf8(text.replaceAll(/\r?\n/g, '\r\n'))
  const end = headerEnd(bytes)
  const at = end === -1 ? bytes.length : end
  return { headers: parseHeaders(bytes.subarray(0, at)), body: bodyOf(bytes.subarray(at)) }
}
const asMessage = (message: string | Message): Message => (typeof message === 'string' ? messageOf(message) : message)

/**
 * One plugin, set up in a chain of its own and asked hook by hook, with no socket in between. Each call gives what the chain
 * would answer: `pass`, `permit`, a reply, or what else the hook allows. A plugin that fails counts as it does in a server
 * (`policyFailure`, or `{ failed: true }`); what it threw is in `errors`.
 */
export class PluginHarness implements Asked {
  readonly clock: ManualClock
  readonly kv: KeyValue
  /** What plugins said, but for `pass`. */
  readonly verdicts: Verdict[] = []
  /** What plugins threw, and that they were late or answered nonsense. */
  readonly errors: unknown[] = []
  readonly logs: Asked['logs'] = []
  readonly injected: Asked['injected'] = []
  readonly paused: Asked['paused'] = []
  readonly probed: Asked['probed'] = []
  readonly #options: TestPluginOptions
  readonly #stopping = new AbortController()
  #chain: Chain | undefined
  #sessions = 0
  #connection: TestConnection
  #transaction: TestTransaction
  #enqueue: TestEnqueue | undefined

  /** Use `testPlugin`. */
  constructor(o: TestPluginOptions) {
    this.#options = o
    this.clock = o.clock ?? manualClock()
    this.kv = o.kv ?? memoryKeyValue(this.clock)
    this.#connection = this.#newConnection(o.who ?? {})
    this.#transaction = new TestTransaction(this.#connection, mailbox('sender@example.com'), false)
  }

  /** Set the plugin up. Rejects as a server's start would. */
  async start(plugin: Plugin): Promise<this> {
    const { dns = {}, probe = () => taken, deadlineMs } = this.#options
    const resolver = 'mx' in dns && typeof dns.mx === 'function' ? (dns as Resolver) : staticResolver(dns as Records)
    const { clock } = this
    const around = { dns: resolver, clock, random: seededRandom(1), signal: this.#stopping.signal, probe, asked: this }
    this.#chain = await createChain([...(this.#options.with ?? []), plugin], {
      host: name => testHost({ ...around, kv: name === plugin.name ? this.kv : memoryKeyValue(clock) }),
      clock,
      onVerdict: verdict => void this.verdicts.push(verdict),
      onError: (_plugin, _hook, error) => void this.errors.push(error),
      ...(deadlineMs !== undefined && { deadlineMs }),
    })
    return this
  }

  /** The chain itself, for what the harness has no word for. */
  get chain(): Chain {
    if (this.#chain === undefined) throw new Error('the plugin is not set up')
    return this.#chain
  }
  /** The present connection, transaction and delivery, to read or set slots on. */
  get connection(): TestConnection {
    return this.#connection
  }
  get transaction(): TestTransaction {
    return this.#transaction
  }

  /** A new connection, by default of a stranger to port 25. */
  async connect(who: Who | string = {}): Promise<HookOut<'connect'>> {
    this.#connection = this.#newConnection({ ...this.#options.who, ...(typeof who === 'string' ? { ip: who } : who) })
    this.#transaction = new TestTransaction(this.#connection, mailbox('sender@example.com'), false)
    return this.chain.decide('connect', { ip: this.#connection.ip }, this.#connection)
  }
  async ehlo(name: string): Promise<HookOut<'ehlo'>> {
    this.#connection.helo = name
    return this.chain.decide('ehlo', name, this.#connection)
  }
  /** An attempt to log in; when `ok`, and the plugin does not stop it, the connection is that user's from then on. */
  async auth(user: string, o: { readonly ok?: boolean; readonly mechanism?: string } = {}): Promise<HookOut<'auth'>> {
    const { ok = true, mechanism = 'PLAIN' } = o
    const answer = await this.chain.decide('auth', { user, mechanism, ok }, this.#connection)
    if (ok && !isStop(answer)) this.#connection.user = user
    return answer
  }

  /** A new transaction on the same connection; null is the null path. */
  async mail(sender: string | null, o: { readonly smtputf8?: boolean } = {}): Promise<HookOut<'mail'>> {
    const from = sender === null || sender === '' ? null : mailbox(sender)
    this.#transaction = new TestTransaction(this.#connection, from, o.smtputf8 ?? false)
    this.#enqueue = undefined
    return this.chain.decide('mail', from, this.#transaction)
  }
  /** Unless the plugin stops it, the recipient is one of `accepted` from then on. */
  async rcpt(address: string, o: { readonly orcpt?: string; readonly notify?: Notify } = {}): Promise<HookOut<'rcpt'>> {
    const recipient: Recipient = { to: mailbox(address), ...o }
    const answer = await this.chain.decide('rcpt', recipient, this.#transaction)
    if (!isStop(answer)) this.#transaction.accepted.push(recipient)
    return answer
  }
  async resolve(address: string): Promise<Claimed<'resolve'>> {
    return this.chain.claim('resolve', { to: mailbox(address) }, this.#transaction)
  }
  async data(): Promise<HookOut<'data'>> {
    return this.chain.decide('data', this.#transaction.accepted, this.#transaction)
  }
  async headers(message: string | Message): Promise<HookOut<'headers'>> {
    return this.chain.decide('headers', asMessage(message).headers, this.#transaction)
  }
  async message(message: string | Message): Promise<HookOut<'message'>> {
    return this.chain.decide('message', asMessage(message), this.#transaction)
  }

  async stamp(message: string | Message): Promise<Gathered<'stamp'>> {
    return this.chain.gather('stamp', asMessage(message), this.#queued)
  }
  async seal(message: string | Message): Promise<Gathered<'seal'>> {
    return this.chain.gather('seal', asMessage(message), this.#queued)
  }
  queued(): void {
    this.chain.observe('queued', this.#transaction.accepted, this.#queued)
  }

  async returnPath(address: string, o: Outgoing = {}): Promise<Claimed<'returnPath'>> {
    const delivery = this.#delivery(address, o)
    return this.chain.claim('returnPath', delivery.rcpt, delivery)
  }
  async route(address: string, o: Outgoing = {}): Promise<Claimed<'route'>> {
    const delivery = this.#delivery(address, o)
    return this.chain.claim('route', delivery.rcpt, delivery)
  }
  async egress(site: string, mx: readonly string[] = []): Promise<Claimed<'egress'>> {
    return this.chain.claim('egress', { site: site as SiteKey, mx }, this.#connection)
  }
  async attempt(address: string, route?: Route, o: Outgoing = {}): Promise<HookOut<'attempt'>> {
    const delivery = this.#delivery(address, o)
    return this.chain.decide('attempt', route ?? { via: 'mx', domain: delivery.rcpt.to.domain }, delivery)
  }
  settled(address: string, outcome: Partial<Outcome> = {}, o: Outgoing = {}): void {
    this.chain.observe('settled', { ...taken, ...outcome }, this.#delivery(address, o))
  }
  /** The client has gone: the signals of its connection abort. */
  closed(error?: Error): void {
    this.chain.observe('closed', error === undefined ? {} : { error }, this.#connection)
    this.#connection.end(error ?? new Error('closed'))
  }
  /** Stop the plugin as a server would. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('stopped'))
    await this.chain.stop()
  }

  get #queued(): TestEnqueue {
    return (this.#enqueue ??= new TestEnqueue(this.#transaction, this.#options.origin ?? 'mx'))
  }
  #delivery(address: string, o: Outgoing): TestDelivery {
    return new TestDelivery(this.#transaction, { to: mailbox(address) }, { ...o, origin: this.#options.origin ?? 'mx' })
  }
  #newConnection(who: Who): TestConnection {
    this.#sessions += 1
    const connection = new TestConnection(`test-${this.#sessions}`, who)
    this.#options.slots?.(connection)
    return connection
  }
}

/**
 * Set up a plugin for a test: `const h = await testPlugin(greylist())`, then `await h.rcpt('bob@example.org')`. Rejects when
 * the plugin cannot be set up.
 */
export const testPlugin = (plugin: Plugin, o: TestPluginOptions = {}): Promise<PluginHarness> =>
  new PluginHarness(o).start(plugin)
