/** Chance that can be had again: the same seed gives the same numbers (mulberry32). */
export class Chance {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }
  /** From 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }
  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    const picked = list.at(this.below(list.length))
    if (picked === undefined) throw new RangeError('nothing to pick from')
    return picked
  }
}

/** Bytes in pieces of chance lengths. */
export const pieces = (bytes: Uint8Array, chance: Chance): readonly Uint8Array[] => {
  const cut: Uint8Array[] = []
  const longest = chance.pick([1, 4, 64, 1024, 65_536])
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + chance.below(longest)
    cut.push(bytes.subarray(at, end))
    at = end
  }
  return cut
}
