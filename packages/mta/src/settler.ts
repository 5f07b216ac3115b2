import type { Clock, Journal, Queue, Settlement } from '@posthorn/contracts'

export type Settled = 'ok' | 'stale'
interface Item {
  readonly settlement: Settlement
  readonly done: (result: Settled) => void
}

/** Settlements in one call to the queue. */
const batchSize = 256
const firstPause = 500
const longestPause = 30_000

/**
 * Hands the ends of attempts to the queue in batches, a few batches under way at a time, so that no attempt waits for the
 * disk. A store that fails is asked again until it answers: what has been delivered must not be forgotten.
 */
export class Settler {
  readonly #queue: Pick<Queue, 'settle'>
  readonly #clock: Clock
  readonly #journal: Journal
  readonly #parallel: number
  #items: Item[] = []
  #flying = 0
  #unsettled = 0
  #scheduled = false
  #idle: (() => void)[] = []
  readonly #closed = new AbortController()

  constructor(o: { queue: Pick<Queue, 'settle'>; clock: Clock; journal: Journal; parallel: number }) {
    this.#queue = o.queue
    this.#clock = o.clock
    this.#journal = o.journal
    this.#parallel = o.parallel
  }

  /** Settlements that are not on stable storage yet. */
  get backlog(): number {
    return this.#unsettled
  }

  /** `done` is called when it is on stable storage (`ok`) or turned out not to be ours any more (`stale`). */
  add(settlement: Settlement, done: (result: Settled) => void): void {
    this.#items.push({ settlement, done })
    this.#unsettled++
    if (this.#scheduled) return
    this.#scheduled = true
    // The ends that come in one turn of the event loop go together.
    queueMicrotask(() => {
      this.#scheduled = false
      this.#flush()
    })
  }

  /** Resolves when nothing is left to settle. */
  settled(): Promise<void> {
    return this.#unsettled === 0 ? Promise.resolve() : new Promise(resolve => this.#idle.push(resolve))
  }

  /** Ask a failing store no more. */
  close(): void {
    this.#closed.abort(new Error('the dispatcher has stopped'))
  }

  #flush(): void {
    while (this.#items.length > 0 && this.#flying < this.#parallel) {
      const items = this.#items.length <= batchSize ? this.#items : this.#items.slice(0, batchSize)
      this.#items = this.#items.length <= batchSize ? [] : this.#items.slice(batchSize)
      this.#flying++
      void this.#send(items)
    }
  }

  async #send(items: readonly Item[]): Promise<void> {
    const results = await this.#untilStored(items.map(item => item.settlement))
    this.#flying--
    this.#unsettled -= items.length
    items.forEach((item, i) => item.done(results[i] ?? 'stale'))
    this.#flush()
    if (this.#unsettled === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }

  async #untilStored(batch: readonly Settlement[]): Promise<readonly Settled[]> {
    for (let pause = firstPause; ; pause = Math.min(longestPause, pause * 2)) {
      try {
        return await this.#queue.settle(batch)
      } catch (error) {
        this.#journal.event('error', { where: 'settle', cause: String(error), settlements: batch.length }, 'error')
        // Not the store but what we said to it: one of these must not keep the others from being settled.
        if (!isStoreError(error)) return this.#oneByOne(batch)
      }
      try {
        await this.#clock.sleep(pause, this.#closed.signal)
      } catch {
        return []
      }
    }
  }

  /** What the queue does not understand is left to its lease, which lapses: tried again rather than lost. */
  async #oneByOne(batch: readonly Settlement[]): Promise<readonly Settled[]> {
    if (batch.length === 1) return ['stale']
    const results: Settled[] = []
    for (const settlement of batch) results.push(...(await this.#untilStored([settlement])))
    return results
  }
}

const isStoreError = (error: unknown): boolean => error instanceof Error && error.name === 'StoreError'
