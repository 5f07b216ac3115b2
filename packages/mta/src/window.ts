/**
 * How many attempts may run at once towards one lane: starts low, grows by one for each window's worth of answers, halves
 * when a connection fails. A peer that answers, even to refuse, is a peer that is there.
 */
export class Window {
  readonly #most: number
  #size: number

  constructor(start: number, most: number) {
    this.#most = Math.max(1, most)
    this.#size = Math.max(1, Math.min(start, this.#most))
  }

  get size(): number {
    return Math.floor(this.#size)
  }
  grow(): void {
    if (this.#size < this.#most) this.#size = Math.min(this.#most, this.#size + 1 / Math.floor(this.#size))
  }
  shrink(): void {
    this.#size = Math.max(1, Math.floor(this.#size / 2))
  }
}
