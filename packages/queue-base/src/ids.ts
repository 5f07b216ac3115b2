import type { Clock, QueueId, Random } from '@posthorn/contracts'

/** Crockford's base 32: in the order of ASCII, so that ids sort as their numbers do. */
const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const epoch = Date.UTC(2020, 0, 1)
/** Keys to a millisecond; the clock's 41 bits and these 12 fill an integer that JavaScript and SQLite both keep. */
const perMillisecond = 4096
const keyDigits = 11
const nonceDigits = 4

/**
 * Numbers for rows and names for messages. A key grows with time, and goes on growing when the clock jumps back, so that no
 * number is ever given twice: a stale lease can never meet another delivery.
 */
export interface Ids {
  /** The first of `count` keys in a row, never given before. */
  readonly take: (count: number) => number
  /** Drawn at start; tells apart messages of two stores that got the same key. */
  readonly nonce: number
  /** Never give a key up to this one: what an earlier run may have given. */
  skipTo(key: number): void
}

/** The smallest key of that wall time in ms. */
export const keyAt = (wall: number): number => Math.max(0, Math.floor(wall) - epoch) * perMillisecond

export const createIds = (clock: Clock, random: Random): Ids => {
  let next = keyAt(clock.wall())
  const [a = 0, b = 0, c = 0] = random.bytes(3)
  return {
    nonce: ((a << 16) | (b << 8) | c) & 0xfffff,
    take: count => {
      const first = Math.max(next, keyAt(clock.wall()))
      next = first + count
      return first
    },
    skipTo: key => {
      next = Math.max(next, key + 1)
    },
  }
}

const base32 = (value: number, length: number): string => {
  let text = ''
  for (let rest = value, i = 0; i < length; i++, rest = Math.floor(rest / 32)) text = digits.charAt(rest % 32) + text
  return text
}

/** The printed form: 15 characters, sorting by time. */
export const formatId = (key: number, nonce: number): QueueId =>
  (base32(key, keyDigits) + base32(nonce, nonceDigits)) as QueueId

/** Undefined for what no store of this kind could have given. */
export const parseId = (id: string): { readonly key: number; readonly nonce: number } | undefined => {
  if (!/^[0-9A-HJKMNP-TV-Z]{15}$/.test(id)) return undefined
  const value = (from: number, to: number): number => {
    let sum = 0
    for (let i = from; i < to; i++) sum = sum * 32 + digits.indexOf(id.charAt(i))
    return sum
  }
  const key = value(0, keyDigits)
  return Number.isSafeInteger(key) ? { key, nonce: value(keyDigits, keyDigits + nonceDigits) } : undefined
}
