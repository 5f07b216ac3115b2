import { hash as digest } from 'node:crypto'
import type { Clock, Random } from '@posthorn/contracts'

/** Passwords found right a short while ago, so that a client with many connections does not cost a hash for each. */
export interface Verified {
  has(user: string, password: string, hash: string): boolean
  add(user: string, password: string, hash: string): void
}

/**
 * Bounded in number and lifetime. Kept is only a hash under a key that dies with the process, over the stored hash too: with a
 * changed password nothing old fits.
 */
export const createVerified = (clock: Clock, random: Random, most: number, lifetimeMs: number): Verified => {
  const key = Buffer.from(random.bytes(32)).toString('hex')
  // In order of age: each lives equally long.
  const until = new Map<string, number>()
  // No part has a NUL. An HMAC would cost four times as much, and guards only what is shown: nobody sees these.
  const tag = (...parts: readonly string[]): string => digest('sha256', [key, ...parts].join('\0'), 'base64')
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
