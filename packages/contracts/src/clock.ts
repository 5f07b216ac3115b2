/** Time as a contract, so that tests move it. All durations in milliseconds. */
export interface Clock {
  /** Milliseconds since 1970, for what people and other machines read. May jump. */
  wall(): number
  /** Milliseconds from an arbitrary start, never backwards: for durations and deadlines. */
  monotonic(): number
  /** Rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Call once after `ms`; the result cancels. Does not keep the process alive. */
  after(ms: number, call: () => void): () => void
  /** A signal that aborts after `ms` or with its parent. `clear` must be called when the work is over. */
  deadline(ms: number, parent?: AbortSignal): Deadline
}
export interface Deadline {
  readonly signal: AbortSignal
  clear(): void
}

/** Chance as a contract, so that a run can be repeated from its seed. */
export interface Random {
  /** In [0, 1). */
  next(): number
  /** An integer in [0, below). */
  int(below: number): number
  /** Fit for secrets in production; from the seed in tests. */
  bytes(length: number): Uint8Array
}
