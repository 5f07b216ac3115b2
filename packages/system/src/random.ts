import { randomBytes } from 'node:crypto'
import type { Random } from '@posthorn/contracts'

/** Chance of this machine; `bytes` is fit for secrets, the numbers are not. */
export const systemRandom: Random = {
  next: () => Math.random(),
  int: below => Math.floor(Math.random() * below),
  bytes: length => randomBytes(length),
}
