import type { Database } from './database.ts'
import { removeDrafts } from './chunks.ts'

const batch = 500
/** A session that writes one message for longer than this has been given up long ago, in ms. */
const oldestDraft = 86_400_000
/** An owner that is dead so long, in ms, has no leases any more. */
const oldestOwner = 3_600_000

/** One small step of forgetting, by whichever node comes first. Says whether there is more to do now. */
export const sweep = async (db: Database, keepMs: number): Promise<boolean> => {
  const kv = await db.read(
    `delete from kv where (space, key) in (
       select space, key from kv where expires <= now_ms() order by expires limit ${batch} for update skip locked) returning 1`,
  )
  const gone = await db.read(
    `with m as (delete from message where id in (
       select id from message where gone <= now_ms() - $1::bigint order by gone limit ${batch} for update skip locked) returning id),
     h as (delete from attempt using m where attempt.message = m.id)
     select 1 from m`,
    [keepMs],
  )
  const drafts = await db.read<{ id: string }>('select id from draft where begun <= now_ms() - $1::bigint limit 100', [
    oldestDraft,
  ])
  if (drafts.length > 0)
    await removeDrafts(
      db,
      drafts.map(row => row.id),
    )
  await db.read('delete from pause where until <= now_ms()')
  await db.read(
    `delete from owner where alive_until <= now_ms() - $1::bigint
     and not exists(select 1 from delivery d where d.state = 1 and d.owner = owner.name)`,
    [oldestOwner],
  )
  return kv.length === batch || gone.length === batch
}
