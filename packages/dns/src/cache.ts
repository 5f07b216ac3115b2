import type { Clock } from '@posthorn/contracts'

interface Entry<T> {
  readonly value: T
  readonly weight: number
  /** Monotonic milliseconds. */
  readonly since: number
  readonly until: number
  /** Since it was last passed over for eviction. */
  used: boolean
}

/** What is remembered: bounded in entries, in weight and in time; of the oldest, what was not asked for goes first. */
export interface Cache<T> {
  /** The value and its age in seconds. */
  get(key: string): { readonly value: T; readonly age: number } | undefined
  /** `seconds` of 0 or less is not kept. */
  set(key: string, value: T, seconds: number, weight: number): void
  clear(): void
  readonly size: number
}

export const createCache = <T>(clock: Clock, mostEntries: number, mostWeight: number): Cache<T> => {
  // A Map keeps the order of insertion. Moving an entry at each use would cost ten times the look-up: a mark does ("second chance").
  const entries = new Map<string, Entry<T>>()
  let weight = 0
  const drop = (key: string): void => {
    weight -= entries.get(key)?.weight ?? 0
    entries.delete(key)
  }
  return {
    get: key => {
      const entry = entries.get(key)
      if (entry === undefined) return undefined
      const now = clock.monotonic()
      if (now >= entry.until) return (drop(key), undefined)
      entry.used = true
      return { value: entry.value, age: Math.floor((now - entry.since) / 1000) }
    },
    set: (key, value, seconds, of) => {
      drop(key)
      if (seconds <= 0 || of > mostWeight || mostEntries < 1) return
      const since = clock.monotonic()
      entries.set(key, { value, weight: of, since, until: since + seconds * 1000, used: false })
      weight += of
      // Ends: each is met at most twice, the second time without its mark.
      for (const [oldest, entry] of entries) {
        if (entries.size <= mostEntries && weight <= mostWeight) break
        if (oldest === key) continue
        if (entry.used) {
          entries.delete(oldest)
          entries.set(oldest, { ...entry, used: false })
        } else drop(oldest)
      }
    },
    clear: () => {
      entries.clear()
      weight = 0
    },
    get size() {
      return entries.size
    },
  }
}
