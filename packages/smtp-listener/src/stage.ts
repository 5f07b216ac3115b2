import type { Awaitable } from '@posthorn/contracts'
import type { Input } from './input.ts'

/** Reply text as it goes on the wire; empty when there is nothing to say yet. */
export type Said = string

/**
 * Who reads the input now, when it is not the commands: an AUTH exchange, the content of a message, a chunk that was refused.
 */
export interface Stage {
  /** Read what is there. `undefined`: more is needed. Called again until then. */
  read(input: Input): Awaitable<Said> | undefined
  /** The session ended in the middle. */
  abort(): void
  /** Monotonic time by which more must come in, given the present. */
  due(now: number): number
}
