/**
 * One sync for many: who joins while a sync runs waits for the next, because the running one may have begun before their change.
 * At most one runs and one waits, however many join.
 */
export class GroupSync {
  readonly #run: () => Promise<void>
  #last: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  constructor(run: () => Promise<void>) {
    this.#run = run
  }

  /** Resolves after a sync that began after this call. Rejects for everybody whom a failed sync was for; it is not tried again. */
  join(): Promise<void> {
    if (this.#next !== undefined) return this.#next
    const next = this.#last.then(() => {
      this.#next = undefined
      return this.#run()
    })
    this.#next = next
    this.#last = next.catch(() => {})
    return next
  }
}
