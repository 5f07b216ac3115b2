import type { Clock } from '@posthorn/contracts'
import type { Conversation } from './conversation.ts'

interface Idle {
  readonly key: string
  readonly conversation: Conversation
  readonly since: number
}

/** Conversations that wait for their next message. The one used last is taken first, so that the others may end. */
export class Pool {
  readonly #clock: Clock
  readonly #idleMs: number
  readonly #max: number
  /** In the order in which they fell idle. */
  readonly #idle = new Set<Idle>()
  readonly #byKey = new Map<string, Idle[]>()
  #cancelSweep: (() => void) | undefined

  constructor(clock: Clock, o: { readonly idleMs: number; readonly maxIdle: number }) {
    this.#clock = clock
    this.#idleMs = o.idleMs
    this.#max = o.maxIdle
  }
  get size(): number {
    return this.#idle.size
  }

  take(key: string): Conversation | undefined {
    const entry = this.#byKey.get(key)?.at(-1)
    if (entry === undefined) return undefined
    this.#remove(entry)
    return entry.conversation
  }
  put(key: string, conversation: Conversation): void {
    if (this.#max <= 0 || this.#idleMs <= 0) return conversation.quit()
    const entry: Idle = { key, conversation, since: this.#clock.monotonic() }
    this.#idle.add(entry)
    const stack = this.#byKey.get(key)
    if (stack === undefined) this.#byKey.set(key, [entry])
    else stack.push(entry)
    // A peer that speaks unasked takes leave (421) or is out of step: no message may be sent after that.
    conversation.onUnasked = () => {
      this.#remove(entry)
      conversation.quit()
    }
    if (this.#idle.size > this.#max) this.#quitOldest()
    this.#scheduleSweep()
  }
  #remove(entry: Idle): void {
    entry.conversation.onUnasked = undefined
    this.#idle.delete(entry)
    const stack = this.#byKey.get(entry.key) ?? []
    const at = stack.lastIndexOf(entry)
    if (at >= 0) stack.splice(at, 1)
    if (stack.length === 0) this.#byKey.delete(entry.key)
  }
  #oldest(): Idle | undefined {
    for (const entry of this.#idle) return entry
    return undefined
  }
  #quitOldest(): void {
    const entry = this.#oldest()
    if (entry === undefined) return
    this.#remove(entry)
    entry.conversation.quit()
  }
  /** One timer for all, armed while anything is idle. */
  #scheduleSweep(): void {
    if (this.#cancelSweep !== undefined) return
    const oldest = this.#oldest()
    if (oldest === undefined) return
    this.#cancelSweep = this.#clock.after(oldest.since + this.#idleMs - this.#clock.monotonic(), () => {
      this.#cancelSweep = undefined
      this.#sweep()
    })
  }
  #sweep(): void {
    const before = this.#clock.monotonic() - this.#idleMs
    for (let entry = this.#oldest(); entry !== undefined && entry.since <= before; entry = this.#oldest())
      this.#quitOldest()
    this.#scheduleSweep()
  }
  close(): void {
    this.#cancelSweep?.()
    this.#cancelSweep = undefined
    while (this.#idle.size > 0) this.#quitOldest()
  }
}
