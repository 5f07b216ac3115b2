/** How much may still be sent; who has too little waits for the other side to have taken some. */
export class Credit {
  #left: number
  #waiting: { readonly wants: number; readonly go: () => void; readonly fail: (why: Error) => void } | undefined
  #over: Error | undefined

  constructor(octets: number) {
    this.#left = octets
  }

  /** None when it is over, so that who asks goes on to hear why. */
  get left(): number {
    return this.#over === undefined ? this.#left : 0
  }

  spend(octets: number): void {
    this.#left -= octets
  }

  add(octets: number): void {
    this.#left += octets
    const waiting = this.#waiting
    if (waiting === undefined || this.#left < waiting.wants) return
    this.#waiting = undefined
    waiting.go()
  }

  /** There is so much. Rejects when there will be none any more. One waits at a time. */
  atLeast(octets: number): Promise<void> {
    if (this.#over !== undefined) return Promise.reject(this.#over)
    if (this.#left >= octets) return Promise.resolve()
    return new Promise((go, fail) => {
      this.#waiting = { wants: octets, go, fail }
    })
  }

  /** Whoever waits, or will wait, is told why. */
  end(why: Error): void {
    this.#over ??= why
    this.#waiting?.fail(this.#over)
    this.#waiting = undefined
  }
}
