import { createHmac, createSecretKey } from 'node:crypto'
import type { Clock, Random } from '@posthorn/contracts'

/** Passwords found right a short while ago, so that a client with many connections does not cost a hash for each. */
export interface Verified {
  has(user: string, password: string, hash: string): boolean
  add(user: string, password: string, hash: string): void
}

/**
 * Bounded in number and lifetime. Kept is only an HMAC under a key that dies with the process, over the stored hash too: with a
 * changed password nothing old fits.
 */
export const createVerified = (clock: Clock, random: Random, most: number, lifetimeMs: number): Verified => {
  // Octets would be made a key anew for each log-in, at ten times the cost of the HMAC.
  const key = createSecretKey(random.bytes(32))
  // In order of age: each lives equally long.
  const until = new Map<string, number>()
  const tag = (...parts: readonly string[]): string =>
    createHmac('sha256', key).update(JSON.stringify(parts)).digest('base64')
  return {
    has: (user, password, hash) => {
      const sought = tag(user, password, hash)
      const end = until.get(sought)
      if (end === undefined) return false
      if (clock.monotonic() < end) return true
      until.delete(sought)
      return false
    },
    add: (user, password, hash) => {
      const added = tag(user, password, hash)
      until.delete(added)
      until.set(added, clock.monotonic() + lifetimeMs)
      const [oldest] = until.keys()
      if (until.size > most && oldest !== undefined) until.delete(oldest)
    },
  }
}
