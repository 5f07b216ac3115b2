import type { Lease, Owner, SiteKey } from '@posthorn/contracts'
import { freeEnded } from './recover.ts'
import type { DeliveryRow } from './row.ts'
import { touch } from './work.ts'
import type { Work } from './work.ts'

export interface ClaimOptions {
  readonly owner: Owner
  readonly sites: number
  readonly perSite: number
  readonly leaseMs: number
  readonly skip?: ReadonlySet<SiteKey>
}

/** Lease what is due, one site after another; a site that was served goes behind those that wait. Answers the leased rows. */
export const claim = async (work: Work, o: ClaimOptions): Promise<readonly DeliveryRow[]> => {
  await freeEnded(work)
  await writeFreedMarks(work)
  const skip = new Set<string>(o.skip)
  const leased: DeliveryRow[] = []
  for (let served = 0; served < o.sites;) {
    const marked = await markedSites(work, skip, o.sites - served)
    if (marked.length === 0) break
    await takeMarks(work, marked)
    const open = await openSites(work, marked)
    for (const site of marked) skip.add(site)
    if (open.length === 0) continue
    const rows = await serve(work, open, o)
    leased.push(...rows)
    served += new Set(rows.map(row => row.site)).size
  }
  return leased
}

/** What was freed is claimed in the same transaction, if it is its turn. */
const writeFreedMarks = async (work: Work): Promise<void> => {
  for (const [site, at] of work.touched)
    await work.sql.query('insert into ready(site, at) values($1, $2)', [site, at], 'mark')
  work.touched.clear()
}

/** Sites with a mark that is due, the longest-due first. Marks that another node holds just now are left to it. */
const markedSites = async (work: Work, skip: ReadonlySet<string>, count: number): Promise<readonly string[]> => {
  const rows = await work.sql.query<{ site: string }>(
    `select site from ready where at <= $1 and not (site = any($2::text[])) order by at, seq limit $3
     for update skip locked`,
    [work.now, [...skip], Math.min(2000, Math.max(64, count * 2))],
    'marked',
  )
  return [...new Set(rows.map(row => row.site))].slice(0, count)
}

/**
 * Those that nobody has stopped. The mark of a paused site moves to the end of its pause, that of a suspended one is gone. Asked
 * after the marks were taken: whoever lets a site go on puts a mark, which either was not taken or is known of here.
 */
const openSites = async (work: Work, sites: readonly string[]): Promise<readonly string[]> => {
  const stopped = await work.sql.query<{ site: string; until: number | null }>(
    `select s.site, p.until from unnest($1::text[]) as s(site)
     left join pause p on p.site = s.site and p.until > $2
     left join suspension x on x.kind = 'site' and x.key = s.site
     where p.site is not null or x.key is not null`,
    [sites, work.now],
    'stopped',
  )
  for (const { site, until } of stopped) if (until !== null) touch(work, site, until)
  const not = new Set(stopped.map(s => s.site))
  return sites.filter(site => !not.has(site))
}

const takeMarks = async ({ sql }: Work, sites: readonly string[]): Promise<void> => {
  await sql.query(
    `delete from ready where seq in (select seq from ready where site = any($1::text[]) for update skip locked)`,
    [sites],
    'take marks',
  )
}

/** Of what one claim takes of a site, one part in so many is for what has been due longest, whatever its priority. */
const partForOldest = 8

/*
 * The marks are gone; now deliveries are leased, then what is left of each site gets one mark again: statement by statement, each
 * with a younger view, so that a delivery whose mark was taken is always seen when the new mark is made. Each priority is a seek
 * of its own, so that deferred mail is not read to find what is due.
 */
const serve = async (work: Work, sites: readonly string[], o: ClaimOptions): Promise<readonly DeliveryRow[]> => {
  const most = Math.max(1, Math.floor(o.perSite))
  const rows = await work.sql.query<DeliveryRow>(
    `with found as materialized (
       select q.id, q.priority, q.due, s.site from unnest($1::text[]) as s(site)
       cross join generate_series(-9, 9) as p(priority) cross join lateral (
         select d.id, d.priority, d.due from delivery d
         where d.state = 0 and d.site = s.site and d.priority = p.priority and d.due <= $2
         order by d.due, d.id limit $3 for update of d skip locked) q),
     aged as (select *, row_number() over (partition by site order by due, id) <= $6 as oldest from found),
     due as (select id, row_number() over (partition by site order by oldest desc, priority, due, id) as turn from aged)
     update delivery d set state = 1, token = d.token + 1, claims = claims + 1, owner = $4, lease_until = $2::bigint + $5::bigint
     from due where d.id = due.id and due.turn <= $3 and d.state = 0
     returning d.*`,
    [sites, work.now, most, o.owner, Math.ceil(o.leaseMs), Math.floor(most / partForOldest)],
    'lease',
  )
  await work.sql.query(
    `insert into ready(site, at) select s.site, greatest(min(q.due), $2::bigint)
     from unnest($1::text[]) as s(site) cross join generate_series(-9, 9) as p(priority) cross join lateral (
       select d.due from delivery d where d.state = 0 and d.site = s.site and d.priority = p.priority
       order by d.due limit 1) q
     group by s.site`,
    [sites, work.now],
    'mark what is left',
  )
  const order = new Map(sites.map((site, i) => [site, i]))
  const place = (row: DeliveryRow): number => order.get(row.site) ?? 0
  return [...rows].sort((a, b) => place(a) - place(b) || a.priority - b.priority || a.due - b.due || a.id - b.id)
}

/** Still ours are those whose token is the present one. */
export const renew = async (work: Work, leases: readonly Lease[], leaseMs: number): Promise<readonly Lease[]> => {
  const rows = await work.sql.query<{ id: number; token: number }>(
    `with l as materialized (
       select d.id, d.token from json_to_recordset($1::json) as l(id bigint, token integer)
       join delivery d on d.id = l.id and d.token = l.token where d.state = 1 order by d.id for update of d)
     update delivery d set lease_until = $2 from l where d.id = l.id returning d.id, d.token`,
    [JSON.stringify(leases.map(l => ({ id: l.delivery, token: l.token }))), Math.ceil(work.now + leaseMs)],
    'renew',
  )
  const kept = new Map(rows.map(row => [row.id, row.token]))
  return leases.filter(l => kept.get(l.delivery) === l.token)
}
