import type { DatabaseSync } from 'node:sqlite'

/** What the store needs of a database; tests pass one that fails. */
export type Database = Pick<DatabaseSync, 'exec' | 'prepare' | 'close' | 'isTransaction'>

/** `delivery.state`. */
export const state: { readonly ready: 0; readonly leased: 1; readonly held: 2 } = { ready: 0, leased: 1, held: 2 }

/*
 * Keys are given by the queue, never by SQLite, which would reuse them. A message's deliveries have the keys
 * `first` … `first + total - 1`, so that no index on `message` is paid for. `lease_until` is monotonic time of the instance
 * that owns the store; all leases are freed when another opens it. `gone` is when a message left; its row and its history
 * stay until they are swept. A site has a row only while something of it is ready or while it is paused.
 */
const firstTables = `
create table message(
  id integer primary key, nonce integer not null, arrived integer not null, size integer not null,
  first integer not null, total integer not null, pending integer not null, gone integer,
  spooled integer not null, origin text not null, sender_local text, sender_domain text, sender_wire text,
  eight_bit text not null, priority integer not null default 0, smtputf8 integer not null default 0,
  user text, tags text, facts text, expires integer, envid text, ret text,
  require_tls integer not null default 0, deliver_by integer, not_before integer
) strict;
create table body(message integer primary key, content blob not null) strict;
create table delivery(
  id integer primary key, message integer not null, site text not null, state integer not null,
  priority integer not null, due integer not null, token integer not null, owner text, lease_until integer,
  local text not null, domain text not null, wire text,
  claims integer not null default 0, attempts integer not null default 0, doubt integer not null default 0,
  warned integer, held_at integer, held_ms integer not null default 0, orcpt text, notify text, return_path text, why text, last text, reply text, wish text
) strict;
create index delivery_due on delivery(site, priority, due) where state = 0;
create index delivery_lease on delivery(lease_until) where state = 1;
create table site(
  name text primary key, ready_at integer, turn integer not null default 0,
  not_before integer not null default 0, why text
) strict, without rowid;
create index site_ready on site(ready_at, turn) where ready_at is not null;
create table attempt(
  seq integer primary key, message integer not null, at integer not null, event text not null,
  rcpt text, attempt text, detail text
) strict;
create index attempt_message on attempt(message);
create table kv(
  space text not null, key text not null, value text not null, expires integer not null, primary key(space, key)
) strict, without rowid;
create index kv_expires on kv(expires);
create table meta(key text primary key, value integer not null) strict, without rowid;
insert into meta values('schema', 1), ('departed', 0);
`

/**
 * What makes a store of version `index + 1` one of the next version. They are never edited once released: a new store is made by
 * the first tables and all of these, so that it is the same as one that has come the whole way.
 */
const migrations: readonly string[] = [
  // What operators have stopped. The kind is `site` or `sender`; the name of a sender is in lower case.
  `create table suspension(kind text not null, name text not null, at integer not null, by text not null, why text,
     primary key(kind, name)) strict, without rowid;`,
  // The sender stands with a delivery from the first time that it waits, and is null in one that was leased as it came in and has not
  // waited since: fresh mail pays for neither index.
  `alter table delivery add column sender text;
   update delivery set sender = (select lower(coalesce(m.sender_local || '@' || m.sender_domain, ''))
     from message m where m.id = delivery.message);
   create index delivery_sender on delivery(sender) where sender is not null;
   create index delivery_rcpt on delivery(lower(local || '@' || domain)) where sender is not null;
   create index delivery_held on delivery(site) where state = 2;`,
  // How often in a row a lease of it ended without a word of its owner.
  `alter table delivery add column interrupted integer not null default 0;`,
]

/** Grows by one with each change of the tables; `meta` says which one a store has. */
export const schemaVersion: number = migrations.length + 1

const tableExists = (db: Database, name: string): boolean =>
  db.prepare(`select 1 from sqlite_schema where type = 'table' and name = ?`).get(name) !== undefined

const versionOf = (db: Database): unknown => db.prepare(`select value from meta where key = 'schema'`).get()?.['value']

/** Bring the tables to the present version, in one transaction that a crash undoes. */
const migrate = (db: Database, from: number): void => {
  db.exec('begin immediate')
  try {
    if (from === 0) db.exec(firstTables)
    for (const step of migrations.slice(Math.max(0, from - 1))) db.exec(step)
    db.exec(`update meta set value = ${schemaVersion} where key = 'schema'`)
    db.exec('commit')
  } catch (error) {
    if (db.isTransaction) db.exec('rollback')
    throw error
  }
}

/** Make the tables, or bring those of an earlier release up to date. Throws an Error that says what to do when they are neither. */
export const prepareSchema = (db: Database): void => {
  if (!tableExists(db, 'meta')) {
    if (db.prepare('select 1 from sqlite_schema').get() !== undefined)
      throw new Error('the file queue.db holds tables of another program')
    return migrate(db, 0)
  }
  const version = versionOf(db)
  if (version === schemaVersion) return
  if (typeof version === 'number' && version >= 1 && version < schemaVersion) return migrate(db, version)
  throw new Error(
    `the queue was written by a newer release (schema ${String(version)}, this one reads up to ${schemaVersion}); start the release that wrote it`,
  )
}
