-- The tables of the first schema, as its release made them, with a message that waits and one that has left.
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
insert into message(id, nonce, arrived, size, first, total, pending, gone, spooled, origin, sender_local, sender_domain, eight_bit, tags)
  values(1000, 7, 5, 2, 1001, 1, 1, null, 0, 'mx', 'alice', 'here.test', '7bit', '["vip"]'),
        (2000, 7, 6, 2, 2001, 1, 0, 9, 0, 'mx', 'alice', 'here.test', '7bit', null);
insert into body values(1000, x'4869');
insert into delivery(id, message, site, state, priority, due, token, local, domain, attempts, why)
  values(1001, 1000, 'mx:there.test', 0, 0, 50, 3, 'bob', 'there.test', 2, 'greylisted');
insert into site(name, ready_at) values('mx:there.test', 50);
insert into attempt values(1, 1000, 20, 'deferred', 'bob@there.test', null, 'greylisted'), (2, 2000, 9, 'delivered', 'eve@there.test', null, null);
insert into kv values('plugin', 'key', '1', 9000000000000000);
update meta set value = 1 where key = 'departed';
