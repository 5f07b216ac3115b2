import type { Sql } from './database.ts'

/** `delivery.state`. */
export const state: { readonly ready: 0; readonly leased: 1; readonly held: 2 } = { ready: 0, leased: 1, held: 2 }

/** Only one node at a time makes or changes the tables: the key of the advisory lock that says so. */
const migrationLock = 0x706f7374

/*
 * All times are the database's, in ms, from `now_ms()`: the clocks of the nodes are asked for nothing that another node sees.
 * `ready` has no row for each site but marks, which are only ever inserted and deleted, so that many nodes write it without
 * waiting for one another. The law of it: each delivery in state 0 has a mark of its site that is not later than its due time,
 * inserted in the transaction that made it ready. A claim deletes the marks of a site that it sees, then looks what is left
 * there, and puts one mark for that. A leased delivery needs no mark.
 * `gone` is when a message left; its row and its history stay until they are swept. `draft` has a row for a large message whose
 * chunks are being written and that is not committed yet.
 */
const tables = `
create function now_ms() returns bigint language sql volatile as
  $$ select floor(extract(epoch from clock_timestamp()) * 1000)::bigint $$;
create table meta(key text primary key, value bigint not null);
create table message(
  id text collate "C" primary key, arrived bigint not null, size bigint not null, inline integer not null,
  spooled bigint not null, total integer not null, pending integer not null, gone bigint, origin text not null,
  sender_local text, sender_domain text, sender_wire text, eight_bit text not null, priority smallint not null,
  smtputf8 boolean not null, username text, tags jsonb, facts text, expires bigint, envid text, ret text,
  require_tls boolean not null, deliver_by bigint, not_before bigint
);
create index message_gone on message(gone) where gone is not null;
create table body(
  message text collate "C" not null, seq integer not null, content bytea not null, primary key(message, seq)
);
alter table body alter content set storage external;
create table draft(id text collate "C" primary key, begun bigint not null);
create table delivery(
  id bigint generated always as identity primary key, message text collate "C" not null, site text not null,
  state smallint not null, priority smallint not null, due bigint not null, token integer not null, owner text,
  lease_until bigint, local text not null, domain text not null, wire text, claims integer not null default 0,
  attempts integer not null default 0, doubt boolean not null default false, warned bigint, held_at bigint,
  held_ms bigint not null default 0, orcpt text, notify text, return_path text, why text, last text, reply text, wish text
) with (fillfactor = 80);
create index delivery_message on delivery(message);
create index delivery_due on delivery(site, priority, due) where state = 0;
create index delivery_lease on delivery(owner, lease_until) where state = 1;
create table ready(seq bigint generated always as identity primary key, site text not null, at bigint not null);
create index ready_at on ready(at, seq);
create index ready_site on ready(site);
create table pause(site text primary key, until bigint not null, why text not null);
create table suspension(
  kind text not null, key text not null, at bigint not null, actor text not null, why text, primary key(kind, key)
);
create table owner(name text primary key, node text not null, alive_until bigint not null);
create table attempt(
  seq bigint generated always as identity primary key, message text collate "C" not null, at bigint not null,
  event text not null, rcpt text, attempt text, detail text
);
create index attempt_message on attempt(message, seq);
create table kv(space text not null, key text not null, value jsonb not null, expires bigint not null, primary key(space, key));
create index kv_expires on kv(expires);
insert into meta values('schema', 1);
`

/**
 * What makes tables of version `index + 1` those of the next version: never edited once released, and such that nodes of the release
 * before can work on.
 */
const migrations: readonly string[] = [
  // How often in a row a lease of it ended without a word of its owner.
  'alter table delivery add column interrupted integer not null default 0;',
]

/** Grows by one with each change of the tables; `meta` says which one a database has. */
const schemaVersion = migrations.length + 1

/**
 * Make the tables in the schema of that name, or bring those of an earlier release up to date. Many nodes may do so at once.
 * Rejects with an Error that says what to do.
 */
export const prepareSchema = async (sql: Sql, name: string): Promise<void> => {
  await sql.query('select pg_advisory_xact_lock($1)', [migrationLock])
  const [found] = await sql.query<{ made: boolean; ours: boolean }>(
    `select exists(select 1 from pg_namespace where nspname = $1) as made,
      exists(select 1 from pg_tables where schemaname = $1 and tablename = 'meta') as ours`,
    [name],
  )
  if (found?.ours !== true) {
    if (found?.made !== true) await sql.script(`create schema "${name}"`)
    await sql.script(tables)
  }
  const [row] = await sql.query<{ value: number }>(`select value from meta where key = 'schema'`)
  const version = row?.value ?? 0
  if (version < 1 || version > schemaVersion)
    throw new Error(
      `the queue in the schema ${name} was written by a newer release (version ${version}, this one reads up to ${schemaVersion}); start the release that wrote it`,
    )
  if (version === schemaVersion) return
  for (const step of migrations.slice(version - 1)) await sql.script(step)
  await sql.query(`update meta set value = $1 where key = 'schema'`, [schemaVersion])
}
