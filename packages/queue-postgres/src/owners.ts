import type { Clock, Owner } from '@posthorn/contracts'
import type { Database } from './database.ts'
import type { Time } from './time.ts'

/** The dispatchers of this process, as the other nodes see that they live. */
export interface Owners {
  /** Resolves when the owner's row is there and says that it lives; at once when that is known. */
  readonly alive: (owner: Owner) => Promise<void>
  /** Tell the others that all owners of this process live. Says whether there are any. Rejects with StoreError. */
  beat(): Promise<boolean>
  /** They live no more, and their leases end. Says who they were. */
  end(): Promise<readonly Owner[]>
}

export const createOwners = (
  db: Database,
  o: { readonly clock: Clock; readonly time: Time; readonly node: string; readonly lifeMs: number },
): Owners => {
  /** When each was last seen to be written, monotonic. */
  const known = new Map<Owner, number>()

  const write = async (names: readonly Owner[]): Promise<void> => {
    const at = o.clock.monotonic()
    const [row] = await db.read<{ now: number }>(
      `with t as materialized (select now_ms() as now),
       w as (insert into owner(name, node, alive_until) select n.name, $2, t.now + $3::bigint from unnest($1::text[]) as n(name), t
         order by n.name on conflict (name) do update set alive_until = excluded.alive_until)
       select now from t`,
      [names, o.node, o.lifeMs],
      'heartbeat',
    )
    if (row !== undefined) o.time.note(row.now)
    for (const name of names) known.set(name, at)
  }
  return {
    alive: owner => {
      const last = known.get(owner)
      // The heart beats oftener, so that this waits only for the first time and after a failure. Who asks is then sure of four
      // fifths of a life, which is what a lease may last.
      return last !== undefined && o.clock.monotonic() - last < o.lifeMs / 5 ? Promise.resolve() : write([owner])
    },
    beat: async () => {
      if (known.size === 0) return false
      await write([...known.keys()])
      return true
    },
    end: async () => {
      const names = [...known.keys()]
      known.clear()
      if (names.length > 0) await db.read('update owner set alive_until = 0 where name = any($1::text[])', [names])
      return names
    },
  }
}

/** The owners of a node's earlier life are dead: one process at a time is that node. */
export const endNode = async (db: Database, node: string): Promise<void> => {
  await db.read('update owner set alive_until = 0 where node = $1', [node])
}
