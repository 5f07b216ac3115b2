import type { Clock, Json, KeyValue } from '@posthorn/contracts'

interface Entry {
  readonly value: Json
  readonly until: number
}

/** Whether two values are the same JSON; the order of an object's keys does not count. */
const sameJson = (a: Json | undefined, b: Json | undefined): boolean => {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  const left: readonly [string, Json][] = Object.entries(a)
  const right = new Map<string, Json>(Object.entries(b))
  if (Array.isArray(a) !== Array.isArray(b) || left.length !== right.size) return false
  return left.every(([key, value]) => right.has(key) && sameJson(value, right.get(key)))
}

/** A KeyValue in memory, by a clock that tests move. */
export const memoryKeyValue = (clock: Clock): KeyValue => {
  const entries = new Map<string, Entry>()
  const live = (key: string): Entry | undefined => {
    const entry = entries.get(key)
    if (entry === undefined || entry.until > clock.wall()) return entry
    entries.delete(key)
    return undefined
  }
  const until = (ttlMs: number): number => {
    if (!(ttlMs > 0)) throw new RangeError(`a lifetime must be greater than 0, not ${ttlMs}`)
    return clock.wall() + ttlMs
  }
  return {
    get: key => live(key)?.value,
    set: (key, value, ttlMs) => {
      entries.set(key, { value, until: until(ttlMs) })
    },
    add: (key, by, ttlMs) => {
      const end = until(ttlMs)
      const old = live(key)
      if (old !== undefined && typeof old.value !== 'number') throw new TypeError(`${key} is no number`)
      const sum = (typeof old?.value === 'number' ? old.value : 0) + by
      entries.set(key, { value: sum, until: old?.until ?? end })
      return sum
    },
    swap: (key, old, value, ttlMs) => {
      const end = until(ttlMs)
      if (!sameJson(live(key)?.value, old)) return false
      entries.set(key, { value, until: end })
      return true
    },
    delete: key => {
      entries.delete(key)
    },
  }
}
