import type { Json, KeyValue } from '@posthorn/contracts'
import type { Clock } from '@posthorn/contracts'
import type { Done } from './group.ts'
import type { KvOp } from './operation.ts'
import type { Work } from './work.ts'

const sameJson = (a: Json | undefined, b: Json | undefined): boolean => {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const [x, y] = [a as { readonly [k: string]: Json }, b as { readonly [k: string]: Json }]
  const keys = Object.keys(x)
  return keys.length === Object.keys(y).length && keys.every(k => k in y && sameJson(x[k], y[k]))
}

/** One operation on the `kv` table. A key whose time is over counts as absent, swept or not. */
export const runKv = ({ s, batch }: Work, op: KvOp): Json => {
  const { space, key, expires = 0 } = op
  const row = op.act === 'set' || op.act === 'delete' ? undefined : s.kvGet.get(space, key)
  const lives = row !== undefined && (row['expires'] as number) > batch.now
  const present = lives ? (JSON.parse(row['value'] as string) as Json) : undefined
  const set = (value: Json, until: number): void => {
    s.kvSet.run(space, key, JSON.stringify(value), until)
  }
  switch (op.act) {
    case 'get':
      // Wrapped, since a null may be what is kept.
      return present === undefined ? null : [present]
    case 'set':
      set(op.value ?? null, expires)
      return null
    case 'delete':
      s.kvDelete.run(space, key)
      return null
    case 'add': {
      const sum = (typeof present === 'number' ? present : 0) + (op.by ?? 0)
      set(sum, typeof present === 'number' ? (row?.['expires'] as number) : expires)
      return sum
    }
    default:
      if (!sameJson(present, op.old)) return false
      set(op.value ?? null, expires)
      return true
  }
}

/** A plugin's own name-space of the table. */
export const createKeyValue = (
  space: string,
  o: { readonly clock: Clock; readonly submit: (op: KvOp) => Promise<Done> },
): KeyValue => {
  const run = (op: Omit<KvOp, 'do' | 'space'>): Promise<unknown> =>
    o.submit({ do: 'kv', space, ...op }).then(done => done.value)
  const until = (ttlMs: number): number => {
    if (!(ttlMs > 0)) throw new RangeError(`a lifetime of ${ttlMs} ms`)
    return Math.ceil(Math.min(o.clock.wall() + ttlMs, Number.MAX_SAFE_INTEGER))
  }
  return {
    get: async key => ((await run({ act: 'get', key })) as readonly [Json] | null)?.[0],
    set: async (key, value, ttlMs) => {
      await run({ act: 'set', key, value, expires: until(ttlMs) })
    },
    add: async (key, by, ttlMs) => (await run({ act: 'add', key, by, expires: until(ttlMs) })) as number,
    swap: async (key, old, value, ttlMs) =>
      (await run({ act: 'swap', key, value, expires: until(ttlMs), ...(old !== undefined && { old }) })) as boolean,
    delete: async key => {
      await run({ act: 'delete', key })
    },
  }
}
