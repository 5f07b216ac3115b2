import type { Json, KeyValue } from '@posthorn/contracts'
import type { Database } from './database.ts'
import { clean } from './row.ts'

/** A NUL, which PostgreSQL cannot keep, is spelled out: two keys never become one. */
const keyOf = (key: string): string => (/[\0\\]/.test(key) ? key.replaceAll('\\', '\\\\').replaceAll('\0', '\\0') : key)

const jsonOf = (value: Json): string => JSON.stringify(value, (_key, v: Json) => (typeof v === 'string' ? clean(v) : v))

const lifetime = (ttlMs: number): number => {
  if (!(ttlMs > 0)) throw new RangeError(`a lifetime of ${ttlMs} ms`)
  return Math.ceil(Math.min(ttlMs, 1e14))
}

/** A plugin's own name-space of the table that all nodes share; lifetimes by the database's clock. */
export const createKeyValue = (db: Database, space: string): KeyValue => ({
  get: async key => {
    const [row] = await db.read<{ value: Json }>(
      'select value from kv where space = $1 and key = $2 and expires > now_ms()',
      [space, keyOf(key)],
      'kv get',
    )
    return row?.value
  },
  set: async (key, value, ttlMs) => {
    await db.read(
      `insert into kv(space, key, value, expires) values($1, $2, $3::jsonb, now_ms() + $4::bigint)
       on conflict (space, key) do update set value = excluded.value, expires = excluded.expires`,
      [space, keyOf(key), jsonOf(value), lifetime(ttlMs)],
      'kv set',
    )
  },
  add: async (key, by, ttlMs) => {
    const rows = await db.transaction(sql =>
      sql.query<{ value: number }>(
        `insert into kv(space, key, value, expires) values($1, $2, to_jsonb($3::float8), now_ms() + $4::bigint)
         on conflict (space, key) do update set
           value = case when kv.expires > now_ms() and jsonb_typeof(kv.value) = 'number'
             then to_jsonb((kv.value)::float8 + $3::float8) else excluded.value end,
           expires = case when kv.expires > now_ms() and jsonb_typeof(kv.value) = 'number'
             then kv.expires else excluded.expires end
         returning value`,
        [space, keyOf(key), by, lifetime(ttlMs)],
        'kv add',
      ),
    )
    return rows[0]?.value ?? by
  },
  swap: async (key, old, value, ttlMs) => {
    const until = lifetime(ttlMs)
    const rows = await db.transaction(sql =>
      old === undefined
        ? sql.query(
            `insert into kv(space, key, value, expires) values($1, $2, $3::jsonb, now_ms() + $4::bigint)
             on conflict (space, key) do update set value = excluded.value, expires = excluded.expires
             where kv.expires <= now_ms() returning 1 as swapped`,
            [space, keyOf(key), jsonOf(value), until],
            'kv swap in',
          )
        : sql.query(
            `update kv set value = $3::jsonb, expires = now_ms() + $4::bigint
             where space = $1 and key = $2 and expires > now_ms() and value = $5::jsonb returning 1 as swapped`,
            [space, keyOf(key), jsonOf(value), until, jsonOf(old)],
            'kv swap',
          ),
    )
    return rows.length > 0
  },
  delete: async key => {
    await db.read('delete from kv where space = $1 and key = $2', [space, keyOf(key)], 'kv delete')
  },
})
