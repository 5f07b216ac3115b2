import type { Clock, QueueId } from '@posthorn/contracts'
import { storeError } from '@posthorn/queue-base'

/** Ids left below which more are asked for, and how many then. */
const few = 1024
const more = 2048
/** Ids older than this, in ms, are used while younger ones are on their way: they sort by the time at which they were given. */
const fresh = 1_000

/** Ids that the owner of the queue gave in advance, since a message must have its id at once. */
export class IdPool {
  readonly #clock: Clock
  readonly #fetch: (count: number) => Promise<readonly QueueId[]>
  #ids: readonly QueueId[]
  #next = 0
  #since: number
  #fetching = false

  constructor(
    ids: readonly QueueId[],
    o: { readonly clock: Clock; readonly fetch: (count: number) => Promise<readonly QueueId[]> },
  ) {
    this.#ids = ids
    this.#clock = o.clock
    this.#fetch = o.fetch
    this.#since = o.clock.monotonic()
  }

  /** Throws StoreError when they ran out faster than they came. */
  take(): QueueId {
    const id = this.#ids[this.#next++]
    if (this.#ids.length - this.#next < few || this.#clock.monotonic() - this.#since > fresh) this.#refill()
    if (id === undefined) throw storeError('the owner of the queue has given no ids yet', { full: false })
    return id
  }

  #refill(): void {
    if (this.#fetching) return
    this.#fetching = true
    const since = this.#clock.monotonic()
    this.#fetch(more)
      .then(ids => {
        this.#ids = ids
        this.#next = 0
        this.#since = since
      })
      // The connection is gone, and this pool with it.
      .catch(() => undefined)
      .finally(() => (this.#fetching = false))
  }
}
