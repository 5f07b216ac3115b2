import type { KeyValue, Random } from '@posthorn/contracts'

const OCTETS = 32
const KEY = 'decoys'
/** It is written anew at each start. */
const TEN_YEARS = 10 * 365 * 86_400_000

const isSecret = (value: unknown): value is string => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)

/**
 * The secret behind what log-ins are shown of users who do not exist (RFC 5802 §9): made once for a store, so that asking again after a
 * restart, or at another node, tells nobody who is there.
 */
export const decoySecret = async (kv: KeyValue, random: Random): Promise<Uint8Array> => {
  const known = await kv.get(KEY)
  const made = Buffer.from(random.bytes(OCTETS)).toString('hex')
  try {
    if (isSecret(known)) await kv.set(KEY, known, TEN_YEARS)
    // Of nodes that start together the first has made it for all.
    else await kv.swap(KEY, known, made, TEN_YEARS)
  } catch {
    // A full disk must not keep the queue from being emptied.
    return Buffer.from(isSecret(known) ? known : made, 'hex')
  }
  const kept = await kv.get(KEY)
  if (!isSecret(kept)) throw new Error('the secret for unknown users was not kept')
  return Buffer.from(kept, 'hex')
}
