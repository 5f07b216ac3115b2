import type { Query } from './database.ts'
import { senderPrefix } from '@posthorn/queue-base'
import { messageInput, octetsOf, recipientInputs } from './stored.ts'
import type { NewStored } from './stored.ts'
import type { Time } from './time.ts'

/** A delivery as it was inserted. */
export interface Inserted {
  readonly id: number
  readonly message: string
  readonly state: number
  readonly due: number
  readonly now: number
}

/*
 * One statement for a whole group, which commits by itself: nobody waits for two round trips with rows locked. Only new rows are
 * written, so that two nodes never wait for one another. What is leased at birth needs an owner that lives and a site that nobody
 * has stopped.
 */
const insert = (onConflict: string): string => `
with t as materialized (select now_ms() as now),
input as materialized (select * from json_to_recordset($1::json) as i(id text, size bigint, inline integer, spooled bigint,
  at integer, total integer, origin text, sender_local text, sender_domain text, sender_wire text, eight_bit text,
  priority smallint, smtputf8 boolean, username text, tags jsonb, facts text, expires bigint, envid text, ret text,
  require_tls boolean, deliver_by bigint)),
gone as (delete from draft using input i where draft.id = i.id and i.spooled > 0 returning draft.id),
m as (insert into message(id, arrived, size, inline, spooled, total, pending, origin, sender_local, sender_domain, sender_wire,
    eight_bit, priority, smtputf8, username, tags, facts, expires, envid, ret, require_tls, deliver_by)
  select i.id, t.now, i.size, i.inline, i.spooled, i.total, i.total, i.origin, i.sender_local, i.sender_domain, i.sender_wire,
    i.eight_bit, i.priority, i.smtputf8, i.username, i.tags, i.facts, i.expires, i.envid, i.ret, i.require_tls,
    i.deliver_by
  from input i cross join t where i.spooled = 0 or i.id in (select id from gone)
  ${onConflict} returning id),
b as (insert into body(message, seq, content)
  select i.id, 0, substr($3::bytea, i.at + 1, i.inline) from input i join m on m.id = i.id),
r as materialized (select r.*, coalesce(r.due, t.now) as at, coalesce(r.held, '${senderPrefix}' || s.actor || coalesce(': ' || s.why, '')) as why,
    r.held is not null or s.key is not null as holds,
    r.held is null and s.key is null and coalesce(r.due, t.now) <= t.now and o.name is not null
      and p.site is null and x.key is null as leased
  from json_to_recordset($2::json) as r(message text, site text, due bigint, priority smallint, sender text, held text,
    owner text, lease_ms bigint, local text, domain text, wire text, orcpt text, notify text, return_path text)
  cross join t
  left join suspension s on s.kind = 'sender' and s.key = r.sender
  left join suspension x on x.kind = 'site' and x.key = r.site
  left join pause p on p.site = r.site and p.until > t.now
  left join owner o on o.name = r.owner and o.alive_until > t.now),
d as (insert into delivery(message, site, state, priority, due, token, owner, lease_until, claims, local, domain, wire, orcpt,
    notify, return_path, why, held_at)
  select r.message, r.site, case when r.holds then 2 when r.leased then 1 else 0 end, r.priority, r.at,
    r.leased::integer, case when r.leased then r.owner end, case when r.leased then t.now + r.lease_ms end, r.leased::integer,
    r.local, r.domain, r.wire, r.orcpt, r.notify, r.return_path, case when r.holds then r.why end,
    case when r.holds then t.now end
  from r join m on m.id = r.message cross join t
  returning id, message, site, state, due),
k as (insert into ready(site, at) select d.site, min(d.due) from d where d.state = 0 group by d.site order by min(d.due), min(d.id))
select d.id, d.message, d.state, d.due, t.now from d cross join t order by d.id`

const first = insert('')
/** Said again after a reply that was lost: what is there already is there because of us, since nobody else has our ids. */
const second = insert('on conflict (id) do nothing')

const join = (messages: readonly NewStored[]): Buffer => Buffer.concat(messages.flatMap(m => [...m.content]))

/** Insert messages with their content and their deliveries, in one statement; with `again`, those that are not there yet. */
export const enqueue = async (
  run: Query,
  messages: readonly NewStored[],
  o: { readonly time: Time; readonly again: boolean },
): Promise<readonly Inserted[]> => {
  const { toDatabase, note } = o.time
  let at = 0
  const inputs = messages.map(m => {
    const input = messageInput(m, at, toDatabase)
    at += octetsOf(m.content)
    return input
  })
  const rows = await run<Inserted>(
    o.again ? second : first,
    [JSON.stringify(inputs), JSON.stringify(messages.flatMap(m => recipientInputs(m, toDatabase))), join(messages)],
    o.again ? 'enqueue again' : 'enqueue',
  )
  if (rows[0] !== undefined) note(rows[0].now)
  if (!o.again) return rows
  const fresh = new Set(rows.map(row => row.message))
  const missing = messages.map(m => m.id).filter(id => !fresh.has(id))
  if (missing.length === 0) return rows
  const there = await run<Inserted>(
    `select id, message, state, due, now_ms() as now from delivery where message = any($1::text[]) order by id`,
    [missing],
  )
  return [...rows, ...there]
}
