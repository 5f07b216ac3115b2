import type { Awaitable, Clock, Verdict } from '@posthorn/contracts'
import type { HookContext, HookIn, HookMap, HookName, HookOut, Host, Plugin } from './hooks.ts'
import { inOrder } from './order.ts'
import { ehloOf, transportsOf } from './provided.ts'
import type { BoundTransport } from './provided.ts'
import { bounded, KINDS, setUp, stepsOf } from './setup.ts'
import type { Entry, Table } from './setup.ts'
import { pass } from './verdict.ts'
import { reportError, Walk } from './walk.ts'
import type { AskingKind, Step, Walks } from './walk.ts'

type OfKind<K extends string> = { [H in HookName]: HookMap[H]['kind'] extends K ? H : never }[HookName]
export type DecideHook = OfKind<'decide'>
export type ClaimHook = OfKind<'claim'>
export type GatherHook = OfKind<'gather'>
export type ObserveHook = OfKind<'observe'>

/**
 * The plugins of one service, in order. Answers come synchronously when every plugin answered so.
 * A plugin that throws, is late or answers nonsense counts as `451 4.3.0`; nothing ever rejects.
 */
export interface Chain {
  /** Whether any plugin listens to this hook: lets callers skip the preparation. */
  has(hook: HookName): boolean
  /**
   * The first stop ends it; so do `discard`, `wait` and the hold of `attempt`. For `rcpt` the answer is `permit` if any plugin
   * permitted. At `message`, a `hold` and answers per recipient do not keep later plugins from refusing: the result has `hold`
   * of the first that held, `each` merged (the first stop of a recipient counts), or **both**.
   */
  decide<H extends DecideHook>(hook: H, input: HookIn<H>, ctx: HookContext<H>): Awaitable<HookOut<H>>
  /** The first answer, or undefined when nobody had one. */
  claim<H extends ClaimHook>(hook: H, input: HookIn<H>, ctx: HookContext<H>): Awaitable<Claimed<H>>
  /** Every answer in order, each checked and copied. */
  gather<H extends GatherHook>(hook: H, input: HookIn<H>, ctx: HookContext<H>): Awaitable<Gathered<H>>
  /** Tell everyone; what they throw is reported and forgotten. */
  observe<H extends ObserveHook>(hook: H, input: HookIn<H>, ctx: HookContext<H>): void
  /** EHLO keywords that plugins provide. */
  readonly ehlo: readonly string[]
  /** Transports that plugins provide, by the name used in `resolve` and `route` answers. */
  readonly transports: ReadonlyMap<string, BoundTransport>
  /** Stop the plugins, the last one set up first. Never rejects. Idempotent. */
  stop(): Promise<void>
}
/** A failed claim or gather is a value too. */
export interface HookFailure {
  readonly failed: true
  readonly plugin: string
}
export type Claimed<H extends ClaimHook> = HookOut<H> | HookFailure
export type Gathered<H extends GatherHook> = readonly NonNullable<HookOut<H>>[] | HookFailure
/** A verdict worth keeping; `pass` of a plugin that had nothing to say is not reported one by one. */
export type OnVerdict = (verdict: Verdict, ctx: object) => void
/** Where a plugin's failure is told; it has been answered for already. */
export type OnError = (plugin: string, hook: HookName | 'stop' | 'transport', error: unknown) => void

/** What a chain needs besides its plugins. */
export interface ChainOptions {
  /** What each plugin is given, by its name. Asked once per plugin. */
  readonly host: (plugin: string) => Host
  readonly clock: Clock
  /** For all plugins of one hook together, from the first promise on; 30 s when absent. A failure that is tolerated starts it anew. */
  readonly deadlineMs?: number
  /** For `setup` and `stop` of one plugin; 60 s when absent. */
  readonly setupMs?: number
  readonly onVerdict?: OnVerdict
  readonly onError?: OnError
}

interface Row {
  readonly hook: HookName
  readonly kind: AskingKind
  readonly steps: readonly Step[]
}

class Runner implements Chain {
  readonly ehlo: readonly string[]
  readonly transports: ReadonlyMap<string, BoundTransport>
  readonly #rows: { readonly [hook: string]: Row | undefined }
  readonly #observers: { readonly [hook: string]: readonly Step[] | undefined }
  readonly #shared: Walks
  readonly #stop: () => Promise<void>
  #stopped: Promise<void> | undefined

  constructor(table: Table, shared: Walks, rest: Pick<Chain, 'ehlo' | 'transports' | 'stop'>) {
    const rows: { [hook: string]: Row } = {}
    const observers: { [hook: string]: readonly Step[] } = {}
    for (const hook of table.keys()) {
      const kind = KINDS[hook]
      if (kind === 'observe') observers[hook] = stepsOf(table, hook)
      else rows[hook] = { hook, kind, steps: stepsOf(table, hook) }
    }
    this.#rows = rows
    this.#observers = observers
    this.#shared = shared
    this.ehlo = rest.ehlo
    this.transports = rest.transports
    this.#stop = rest.stop
  }

  has(hook: HookName): boolean {
    return this.#rows[hook] !== undefined || this.#observers[hook] !== undefined
  }

  decide<H extends DecideHook>(hook: H, input: HookIn<H>, ctx: HookContext<H>): Awaitable<HookOut<H>> {
    const row = this.#rows[hook]
    if (row === undefined) return pass
    return new Walk(this.#shared, row, input, ctx).go() as Awaitable<HookOut<H>>
  }

  claim<H extends ClaimHook>(hook: H, input: HookIn<H>, ctx: HookContext<H>): Awaitable<Claimed<H>> {
    const row = this.#rows[hook]
    if (row === undefined) return undefined as Claimed<H>
    return new Walk(this.#shared, row, input, ctx).go() as Awaitable<Claimed<H>>
  }

  gather<H extends GatherHook>(hook: H, input: HookIn<H>, ctx: HookContext<H>): Awaitable<Gathered<H>> {
    const row = this.#rows[hook]
    if (row === undefined) return []
    return new Walk(this.#shared, row, input, ctx).go() as Awaitable<Gathered<H>>
  }

  observe<H extends ObserveHook>(hook: H, input: HookIn<H>, ctx: HookContext<H>): void {
    for (const step of this.#observers[hook] ?? []) this.#tell(hook, step, input, ctx)
  }

  #tell(hook: HookName, step: Step, input: unknown, ctx: object): void {
    const failed = (error: unknown): void => reportError(this.#shared.onError, step.plugin, hook, error)
    try {
      const answer = step.run(input, ctx)
      if (answer !== undefined) Promise.resolve(answer).catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop())
  }
}

const stopAll = async (entries: readonly Entry[], o: ChainOptions): Promise<void> => {
  for (const { use } of entries.toReversed()) {
    if (use.stop === undefined) continue
    const work = (): Awaitable<void> => use.stop?.()
    try {
      await bounded(use, 'stop', { clock: o.clock, ms: o.setupMs ?? 60_000, work })
    } catch (error) {
      reportError(o.onError, use.name, 'stop', error)
    }
  }
}

/**
 * Set up every plugin, in order, and join them to a chain. Rejects with an Error that names the plugin when one cannot be set
 * up, has an unknown hook, shares its name with another or waits for itself; those set up already are stopped then.
 */
export const createChain = async (plugins: readonly (Plugin | Entry)[], o: ChainOptions): Promise<Chain> => {
  const entries = inOrder(plugins.map((entry): Entry => ('use' in entry ? entry : { use: entry })))
  const all = entries.map(({ use }) => use)
  const hosts = new Map<string, Host>()
  const hostOf = (plugin: string): Host => {
    const host = hosts.get(plugin) ?? o.host(plugin)
    hosts.set(plugin, host)
    return host
  }
  const table: Table = new Map()
  const ready: Entry[] = []
  try {
    const failed = (plugin: string, error: unknown): void => reportError(o.onError, plugin, 'transport', error)
    const rest = { ehlo: ehloOf(all), transports: transportsOf(all, { host: hostOf, failed }) }
    for (const entry of entries) {
      await setUp(table, entry, { host: hostOf(entry.use.name), clock: o.clock, ms: o.setupMs ?? 60_000 })
      ready.push(entry)
    }
    const { clock, deadlineMs = 30_000, onVerdict, onError } = o
    return new Runner(table, { clock, deadlineMs, onVerdict, onError }, { ...rest, stop: () => stopAll(ready, o) })
  } catch (error) {
    await stopAll(ready, o)
    throw error
  }
}
