import type { Slot, Slots } from './slot.ts'

/** What a signal may follow: read only when a plugin asks for a signal, so a getter behind it stays unused. */
export interface SignalSource {
  readonly signal: AbortSignal
}

/** The one live controller of a scope and of all below it. */
class Hub {
  readonly #outer: SignalSource | undefined
  #controller: AbortController | undefined
  #unfollow: (() => void) | undefined
  #ended: { readonly reason: unknown } | undefined

  constructor(outer: SignalSource | undefined) {
    this.#outer = outer
  }

  get signal(): AbortSignal {
    return (this.#controller ??= this.#make()).signal
  }

  #make(): AbortController {
    const controller = new AbortController()
    const outer = this.#outer?.signal
    if (this.#ended !== undefined) controller.abort(this.#ended.reason)
    else if (outer?.aborted === true) controller.abort(outer.reason)
    else if (outer !== undefined) {
      const follow = (): void => controller.abort(outer.reason)
      outer.addEventListener('abort', follow, { once: true })
      this.#unfollow = () => outer.removeEventListener('abort', follow)
    }
    return controller
  }

  expire(reason: unknown): void {
    if (this.#ended !== undefined) return
    this.#unfollow?.()
    this.#unfollow = undefined
    const controller = this.#controller
    this.#controller = undefined
    controller?.abort(reason)
  }

  end(reason: unknown): void {
    if (this.#ended !== undefined) return
    this.#ended = { reason }
    this.#unfollow?.()
    this.#unfollow = undefined
    this.#controller?.abort(reason)
  }
}

/**
 * The base of every hook context: slots, and a signal that exists only once a plugin has read it. Extend it with the fields of
 * the context at hand. With a scope as `parent`, slots not set here are looked up there, and the signal is the parent's: a
 * connection is one scope, each of its transactions another below it. With a plain `{ signal }`, the scope follows that signal.
 */
export class Scope implements Slots {
  readonly #parent: Scope | undefined
  readonly #hub: Hub
  #slots: Map<object, unknown> | undefined

  constructor(parent?: Scope | SignalSource) {
    this.#parent = parent instanceof Scope ? parent : undefined
    this.#hub = parent instanceof Scope ? parent.#hub : new Hub(parent)
  }

  /** Aborts when the hook's deadline passes, or with the reason given to `end`. */
  get signal(): AbortSignal {
    return this.#hub.signal
  }

  get<T>(slot: Slot<T>): T | undefined {
    return this.#slots?.has(slot) === true ? (this.#slots.get(slot) as T) : this.#parent?.get(slot)
  }

  set<T>(slot: Slot<T>, value: T): void {
    this.#slots ??= new Map()
    this.#slots.set(slot, value)
  }

  /** Abort what was started under the signal so far; who reads `signal` later gets a fresh one. The chain does it at a deadline. */
  expire(reason: unknown): void {
    this.#hub.expire(reason)
  }

  /** Abort for good: the client has gone, or the work is over. Scopes that share the signal end too. Idempotent. */
  end(reason: unknown): void {
    this.#hub.end(reason)
  }
}
