import type { Json, KeyValue } from '@posthorn/contracts'
import type { KeyValueAsk, Methods } from './protocol.ts'

/** A lifetime that JSON can say. */
const lifetime = (ttlMs: number): number => {
  if (!(ttlMs > 0)) throw new RangeError(`a lifetime of ${ttlMs} ms`)
  return Math.min(ttlMs, Number.MAX_SAFE_INTEGER)
}

/** A name-space of the table beside the queue, in the process that owns both. */
export const createKeyValue = (
  space: string,
  ask: (params: KeyValueAsk) => Promise<Methods['keyValue'][1]>,
): KeyValue => ({
  get: async key => ((await ask({ space, key, act: 'get' })) as readonly [Json] | null)?.[0],
  set: async (key, value, ttlMs) => {
    await ask({ space, key, act: 'set', value, ttlMs: lifetime(ttlMs) })
  },
  add: async (key, by, ttlMs) => (await ask({ space, key, act: 'add', by, ttlMs: lifetime(ttlMs) })) as number,
  swap: async (key, old, value, ttlMs) =>
    (await ask({
      space,
      key,
      act: 'swap',
      value,
      ttlMs: lifetime(ttlMs),
      ...(old !== undefined && { old }),
    })) as boolean,
  delete: async key => {
    await ask({ space, key, act: 'delete' })
  },
})
