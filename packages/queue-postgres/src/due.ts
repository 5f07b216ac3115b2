import type { Database } from './database.ts'

/** The database's time, and when the next delivery is due or the next lease ends, by the life of its owner too. */
export const nextDue = async (db: Database): Promise<{ readonly now: number; readonly at: number | undefined }> => {
  const [row] = await db.read<{ now: number; ready: number | null; ends: number | null }>(
    `select now_ms() as now, (select at from ready order by at, seq limit 1) as ready,
       (select min(least(l.lease_until, o.alive_until)) from owner o cross join lateral (
         select d.lease_until from delivery d where d.state = 1 and d.owner = o.name order by d.lease_until limit 1) l) as ends`,
    [],
    'next due',
  )
  const times = [row?.ready, row?.ends].filter(at => at !== null && at !== undefined)
  return { now: row?.now ?? 0, at: times.length === 0 ? undefined : Math.min(...times) }
}
