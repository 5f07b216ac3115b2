import type { StatementSync } from 'node:sqlite'
import type { Database } from './schema.ts'

const sql = {
  insertMessage: `insert into message(id, nonce, arrived, size, first, total, pending, spooled, origin,
    sender_local, sender_domain, sender_wire, eight_bit, priority, smtputf8, user, tags, facts, expires, envid, ret, require_tls,
    deliver_by)
    values(?, ?, ?, ?, ?, ?, ?6, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  insertBody: `insert into body(message, content) values(?, ?)`,
  insertDelivery: `insert into delivery(id, message, site, state, priority, due, token, owner, lease_until, local, domain, wire,
    claims, orcpt, notify, return_path, why, held_at, sender)
    values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, lower(?))`,
  message: `select * from message where id = ?`,
  body: `select content from body where message = ?`,
  deleteBody: `delete from body where message = ?`,
  /** One delivery of the message has ended. */
  endDelivery: `update message set pending = pending - 1, gone = case when pending = 1 then ? end where id = ?
    returning pending, spooled, nonce`,
  delivery: `select * from delivery where id = ?`,
  deleteDelivery: `delete from delivery where id = ?`,
  deleteLeased: `delete from delivery where id = ? and token = ? and state = 1 returning message, local, domain`,
  lease: `update delivery set state = 1, token = token + 1, claims = claims + 1, owner = ?, lease_until = ? where id = ?`,
  renew: `update delivery set lease_until = ? where id = ? and token = ? and state = 1`,
  ready: `update delivery set state = 0, owner = null, lease_until = null, due = ?, doubt = ?, why = ?, wish = null,
    held_ms = held_ms + case when held_at is null then 0 else max(0, ? - held_at) end, held_at = null where id = ?`,
  hold: `update delivery set state = 2, owner = null, lease_until = null, held_at = ?, why = ?, wish = null where id = ?`,
  /** From now on it is found by its sender and its recipient. */
  waits: `update delivery set sender = (select lower(coalesce(m.sender_local || '@' || m.sender_domain, ''))
    from message m where m.id = delivery.message) where id = ? and sender is null`,
  attempted: `update delivery set attempts = attempts + 1, last = ?, reply = ? where id = ?`,
  interrupted: `update delivery set interrupted = ? where id = ?`,
  warned: `update delivery set warned = ? where id = ?`,
  wish: `update delivery set wish = ? where id = ?`,
  reroute: `update delivery set site = ? where id = ?`,
  expired: `select id from delivery where state = 1 and lease_until <= ? order by lease_until limit 1000`,
  ownedBy: `select id from delivery where state = 1 and lease_until is not null and owner = ?`,
  ownedByOthers: `select id from delivery where state = 1 and lease_until is not null and owner <> ?`,
  nextLeaseEnd: `select min(lease_until) as at from delivery where state = 1 and lease_until is not null`,
  nextReady: `select ready_at as at from site where ready_at is not null order by ready_at limit 1`,
  dueSites: `select name from site where ready_at is not null and ready_at <= ? order by ready_at, turn`,
  nextPriority: `select priority from delivery where state = 0 and site = ? and priority > ? order by priority limit 1`,
  dueOfSite: `select * from delivery where state = 0 and site = ? and priority = ? and due <= ? order by due limit ?`,
  earliest: `select due from delivery where state = 0 and site = ? and priority = ? order by due limit 1`,
  touchSite: `insert into site(name, ready_at) values(?, ?) on conflict(name) do update
    set ready_at = min(coalesce(ready_at, excluded.ready_at), excluded.ready_at)`,
  serveSite: `update site set ready_at = ?, turn = ? where name = ?`,
  deleteSite: `delete from site where name = ? and not_before <= ?`,
  pauseSite: `insert into site(name, ready_at, not_before, why) values(?, ?, ?, ?) on conflict(name) do update
    set ready_at = excluded.ready_at, not_before = excluded.not_before, why = excluded.why`,
  /** It is neither claimed nor waited for, until its earliest delivery is looked up again. */
  stopSite: `update site set ready_at = null where name = ?`,
  /** Oldest first. */
  suspensions: `select kind, name, at, by, why from suspension order by at, kind, name`,
  suspend: `insert into suspension(kind, name, at, by, why) values(?, ?, ?, ?, ?) on conflict do nothing`,
  resume: `delete from suspension where kind = ? and name = ? returning at`,
  /** What waited for a site since then was on hold. */
  waited: `update delivery set held_ms = held_ms
    + max(0, ?2 - max(?3, (select arrived from message m where m.id = delivery.message))) where state = 0 and site = ?1`,
  nonce: `select nonce from message where id = ?`,
  pausedSites: `select name, not_before from site where not_before > 0`,
  lastTurn: `select max(turn) as turn from site`,
  history: `insert into attempt(seq, message, at, event, rcpt, attempt, detail) values(?, ?, ?, ?, ?, ?, ?)`,
  lastSeq: `select max(seq) as seq from attempt`,
  departed: `select value from meta where key = 'departed'`,
  setDeparted: `update meta set value = ? where key = 'departed'`,
  walk: `select id, gone from message where id > ? order by id limit 500`,
  forgetMessage: `delete from message where id = ?`,
  forgetHistory: `delete from attempt where message = ?`,
  kvGet: `select value, expires from kv where space = ? and key = ?`,
  kvSet: `insert into kv(space, key, value, expires) values(?, ?, ?, ?) on conflict(space, key) do update
    set value = excluded.value, expires = excluded.expires`,
  kvDelete: `delete from kv where space = ? and key = ?`,
  kvSweep: `delete from kv where (space, key) in (select space, key from kv where expires <= ? limit 500)`,
} as const

/** Asked by the reader, too. */
export const suspensionsSql: string = sql.suspensions

/** The writer's statements, each prepared once. */
export type Statements = { readonly [k in keyof typeof sql]: StatementSync }

export const prepareStatements = (db: Database): Statements =>
  Object.fromEntries(Object.entries(sql).map(([name, text]) => [name, db.prepare(text)])) as unknown as Statements
