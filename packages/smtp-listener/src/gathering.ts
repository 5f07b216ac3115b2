import { andThen } from '@posthorn/plugin'
import type { Body, Headers } from '@posthorn/message'
import type { Awaitable, Disposition, Reception } from '@posthorn/contracts'
import type { Reply } from '@posthorn/reply'

/** A piece shorter than this is gathered with others. */
const SMALL = 1024
/** Octets that are gathered. */
const MOST = 8192

/**
 * A reception that is handed small pieces together: each one costs far more than its octets, and a client may send chunks of one octet.
 * Large pieces pass as they are.
 */
export class Gathering implements Reception {
  readonly id: string
  readonly #to: Reception
  #gathered: Uint8Array | undefined
  #used = 0

  constructor(to: Reception) {
    this.id = to.id
    this.#to = to
  }
  write(chunk: Uint8Array): void | Promise<void> {
    const used = this.#used
    if (chunk.length >= SMALL || used + chunk.length > MOST) return this.#pass(chunk)
    const gathered = (this.#gathered ??= new Uint8Array(MOST))
    gathered.set(chunk, used)
    this.#used = used + chunk.length
  }
  #pass(chunk: Uint8Array): void | Promise<void> {
    const used = this.#used
    if (this.#gathered === undefined || used === 0) return this.#to.write(chunk)
    const joined = new Uint8Array(used + chunk.length)
    joined.set(this.#gathered.subarray(0, used))
    joined.set(chunk, used)
    this.#used = 0
    return this.#to.write(joined)
  }
  #rest(): void | Promise<void> {
    return this.#used === 0 ? undefined : this.#pass(nothing)
  }
  end(): Awaitable<Body> {
    return andThen(this.#rest(), () => this.#to.end())
  }
  commit(headers: Headers, disposition: Disposition): Awaitable<Reply | readonly Reply[]> {
    return andThen(this.#rest(), () => this.#to.commit(headers, disposition))
  }
  abort(): void {
    this.#to.abort()
  }
}
const nothing = new Uint8Array(0)
