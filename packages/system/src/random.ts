import { randomFillSync } from 'node:crypto'
import type { Random } from '@posthorn/contracts'

/** What is asked for is mostly 3 to 24 octets, several times a message; the generator takes ten times as long to start as to fill these. */
const POOL = 4096
const pool = new Uint8Array(POOL)
let used = POOL

/** Every octet is handed out once and not kept. */
const bytes = (length: number): Uint8Array => {
  if (length > POOL / 16) return randomFillSync(new Uint8Array(length))
  if (used + length > POOL) {
    randomFillSync(pool)
    used = 0
  }
  const taken = pool.slice(used, used + length)
  pool.fill(0, used, (used += length))
  return taken
}

/** Chance of this machine; `bytes` is fit for secrets, the numbers are not. */
export const systemRandom: Random = {
  next: () => Math.random(),
  int: below => Math.floor(Math.random() * below),
  bytes,
}
