import { argon2, timingSafeEqual } from 'node:crypto'
import type { Random } from '@posthorn/contracts'

/** What a hash costs; OWASP's figures of 2024 when absent: 19 MiB, two passes, one lane. */
export interface HashCost {
  /** In KiB. */
  readonly memory: number
  readonly passes: number
  readonly lanes: number
}
export const defaultCost: HashCost = { memory: 19_456, passes: 2, lanes: 1 }

interface Hash extends HashCost {
  readonly salt: Uint8Array
  readonly tag: Uint8Array
}

const phc =
  /^\$argon2id\$v=19\$m=([1-9]\d{0,6}),t=([1-9]\d?),p=([1-9]\d?)\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/

const parse = (text: string): Hash | undefined => {
  const [, memory, passes, lanes, salt = '', tag = ''] = phc.exec(text) ?? []
  const hash = {
    memory: Number(memory),
    passes: Number(passes),
    lanes: Number(lanes),
    salt: Buffer.from(salt, 'base64'),
    tag: Buffer.from(tag, 'base64'),
  }
  // RFC 9106 §3.1; a gigabyte and more would be a mistake.
  return hash.memory >= 8 * hash.lanes && hash.memory <= 1_048_576 ? hash : undefined
}

/** Whether a text is an argon2id hash that can be verified: a PHC string, version 19. */
export const isHash = (text: string): boolean => parse(text) !== undefined

const unpadded = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replace(/=+$/, '')

/** In the thread pool: 20 ms of one core with the default cost. */
const derive = (
  password: string,
  { memory, passes, lanes, salt }: Omit<Hash, 'tag'>,
  length: number,
): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const parameters = { message: password, nonce: salt, parallelism: lanes, tagLength: length, memory, passes }
    argon2('argon2id', parameters, (error, tag) => (error === null ? resolve(tag) : reject(error)))
  })

/** Hash a prepared password with fresh salt, as a PHC string (RFC 9106). */
export const hashPassword = async (password: string, random: Random, cost: HashCost = defaultCost): Promise<string> => {
  const salt = random.bytes(16)
  const tag = await derive(password, { ...cost, salt }, 32)
  return `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.lanes}$${unpadded(salt)}$${unpadded(tag)}`
}

/** Whether the prepared password is the one that was hashed; compared in constant time. Throws TypeError when it is no hash. */
export const verifyPassword = async (password: string, text: string): Promise<boolean> => {
  const hash = parse(text)
  if (hash === undefined) throw new TypeError('not an argon2id hash')
  return timingSafeEqual(await derive(password, hash, hash.tag.length), hash.tag)
}
