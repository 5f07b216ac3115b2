import { DatabaseSync } from 'node:sqlite'
import type { Filter, FilterField } from '@posthorn/contracts'
import { expect, test } from 'vitest'
import { createReads } from './reads.ts'
import type { Reads } from './reads.ts'
import { prepareSchema } from './schema.ts'

const backlog = 250_000

/** So many waiting deliveries of as many messages, each with a sender of its own. */
const filled = (): { readonly db: DatabaseSync; readonly reads: Reads } => {
  const db = new DatabaseSync(':memory:')
  prepareSchema(db)
  db.exec(`
    insert into message(id, nonce, arrived, size, first, total, pending, spooled, origin, sender_local, sender_domain, eight_bit)
      with recursive n(i) as (select 1 union all select i + 1 from n where i < ${backlog})
      select 2 * i, 1, 0, 1000, 2 * i + 1, 1, 1, 0, 'mx', 's' || i, 'here.test', '7bit' from n;
    insert into delivery(id, message, site, state, priority, due, token, local, domain, sender)
      select id + 1, id, 'mx:there.test', 0, 0, 0, 1, 'bob' || id, 'there.test', sender_local || '@here.test' from message`)
  return { db, reads: createReads(db) }
}
const filter = (field: FilterField, op: '=' | '~', value: string): Filter => ({ and: [{ field, op, value }] })

test('a page that finds little is short, and its cursor leads through the whole queue', () => {
  const { reads } = filled()
  const list = (after: number, value: string) =>
    reads.answer({ ask: 'list', now: 0, filter: filter('sender', '~', value), after, limit: 50 })
  const first = list(0, `s${backlog}@`)
  expect(first.rows).toEqual([])
  const second = list(first.after ?? 0, `s${backlog}@`)
  expect(second.rows).toEqual([])
  const third = list(second.after ?? 0, `s${backlog}@`)
  expect(third.rows.map(row => row.sender)).toEqual([`s${backlog}@here.test`])
  expect([first.after, second.after, third.after]).toEqual([200_001, 400_001, undefined])
  const keys = reads.answer({ ask: 'keys', now: 0, filter: filter('why', '~', 'x'), after: 0, limit: 50 })
  expect(keys).toEqual({ keys: [], after: 200_001 })
})

test('a sender and a recipient are looked up in an index and not by reading the queue', () => {
  const { db, reads } = filled()
  // Without a sender a row stands in no index: what is still found was found by reading the rows.
  db.exec('update delivery set sender = null where id <> 5001')
  for (const [field, value] of [
    ['sender', 'S2500@here.test'],
    ['rcpt', 'Bob5000@there.test'],
  ] as const) {
    const page = reads.answer({ ask: 'list', now: 0, filter: filter(field, '=', value), after: 0, limit: 50 })
    expect(page.rows.map(row => row.delivery)).toEqual([5001])
    expect(page.after).toBeUndefined()
    expect(reads.answer({ ask: 'count', now: 0, filter: filter(field, '=', value) })).toEqual([['all', 1]])
  }
  const other = filter('sender', '=', 's2501@here.test')
  expect(reads.answer({ ask: 'list', now: 0, filter: other, after: 0, limit: 50 })).toEqual({ rows: [] })
})

test('mail is counted by site in every state, without reading the queue', () => {
  const { db, reads } = filled()
  db.exec(`update delivery set state = 1, lease_until = 9 where id = 3;
    update delivery set state = 2 where id = 5;
    update delivery set site = 'mx:else.test', state = 2 where id = 7`)
  expect(reads.answer({ ask: 'count', now: 0, filter: { and: [] }, by: 'site' })).toEqual([
    ['mx:there.test', backlog - 1],
    ['mx:else.test', 1],
  ])
})
