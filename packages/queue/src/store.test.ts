import { DatabaseSync } from 'node:sqlite'
import { sampleMessage, sampleRecipient } from '@posthorn/testkit'
import { expect, test } from 'vitest'
import type { EnqueueOp, Group, Operation } from './operation.ts'
import type { Database } from './schema.ts'
import { createStore } from './store.ts'
import type { Store, StoreOptions } from './store.ts'
import { createWriter } from './writer.ts'

const options: StoreOptions = {
  history: { keepMs: 1000, limit: 1000 },
  checkSpool: () => undefined,
  releaseReserve: () => {},
}
let lastKey = 1000
const enqueue = (base: number, rcpt = 'bob@there.test'): Operation & EnqueueOp => {
  const key = (lastKey += 10)
  const message = sampleMessage({ recipients: [sampleRecipient(rcpt)] })
  return { do: 'enqueue', key, nonce: 1, first: key + 1, arrived: 5, size: 5000, spooled: 0, message, base }
}
const claimAll: Operation = { do: 'claim', owner: 'o', sites: 10_000, perSite: 10_000, leaseMs: 1000, skip: [] }
const group = (...ops: readonly Operation[]): Group => ({ now: 5, mono: 5, ops })
const content = (ops: number): readonly Uint8Array[] => Array.from({ length: ops }, () => new Uint8Array(5000))
const count = (db: Database): unknown => db.prepare('select count(*) as n from message').get()?.['n']

test('an operation that the tables refuse fails alone', () => {
  const db = new DatabaseSync(':memory:')
  const store = createStore(db, options)
  const twice = enqueue(0)
  const { results, wake } = store.apply(
    group(enqueue(0), twice, { ...twice }, enqueue(0, 'eve@there.test')),
    content(1),
  )
  expect(results.map(r => 'ok' in r)).toEqual([true, true, false, true])
  expect(results[2]).toMatchObject({ full: false })
  expect([count(db), wake]).toEqual([3, 5])
})

test('row 47: on a full disk new mail is refused as full while attempts can end', () => {
  const db = new DatabaseSync(':memory:')
  let released = 0
  const store = createStore(db, { ...options, releaseReserve: () => released++ })
  store.apply(group(enqueue(0), enqueue(0)), content(1))
  const [claims] = store.apply(group(claimAll), []).results as [{ ok: { deliveries: { delivery: number }[] }[] }]
  const pages = Number(db.prepare('pragma page_count').get()?.['page_count'])
  db.exec(`pragma max_page_count = ${pages}`)
  const delivery = claims.ok[0]?.deliveries[0]?.delivery ?? 0
  const settle: Operation = { do: 'settle', items: [{ lease: { delivery, token: 1 }, fate: { to: 'delivered' } }] }
  const many = Array.from({ length: 50 }, () => enqueue(0))
  const { results } = store.apply(group(...many, settle), content(1))
  expect(results.slice(0, 50).every(r => 'full' in r && r.full)).toBe(true)
  expect(results[50]).toEqual({ ok: ['ok'] })
  expect([count(db), released]).toEqual([2, 1])
  db.exec(`pragma max_page_count = ${pages + 1000}`)
  expect(store.apply(group(enqueue(0)), content(1)).results).toEqual([{ ok: [] }])
})

/** A database that fails with SQLite's result code when a statement matches; the rest is real. */
const failing = (db: DatabaseSync, fault: { code: number; when: (sql: string) => boolean }): Database => ({
  exec: sql => {
    if (fault.when(sql)) throw Object.assign(new Error('disk I/O error'), { errcode: fault.code })
    db.exec(sql)
  },
  prepare: sql => db.prepare(sql),
  close: () => {},
  get isTransaction() {
    return db.isTransaction
  },
})

test('row 47: after EIO at the sync the group fails, the sync is not tried again, and the store is opened anew', () => {
  const db = new DatabaseSync(':memory:')
  const syncs: string[] = []
  let broken = true
  const open = (): Store => {
    if (db.isTransaction) db.exec('rollback')
    return createStore(
      failing(db, {
        code: 1034,
        when: sql => {
          if (sql === 'commit') syncs.push(sql)
          return sql === 'commit' && broken && syncs.length > 1
        },
      }),
      options,
    )
  }
  const writer = createWriter(open)
  expect(() => writer.apply(group(enqueue(0)), content(1))).toThrow('disk I/O error')
  expect(syncs).toHaveLength(2)
  broken = false
  expect(writer.apply(group(enqueue(0)), content(1))).toMatchObject({ results: [{ ok: [] }], reopened: true })
  expect(count(db)).toBe(1)
})

test('a damaged row is set aside with an event and does not stop the others', () => {
  const db = new DatabaseSync(':memory:')
  const store = createStore(db, options)
  const ops = ['a', 'b', 'c', 'd'].map(l => enqueue(0, `${l}@there.test`))
  store.apply(group(...ops), content(1))
  db.exec(`update message set tags = '[broken' where id = ${ops[0]?.key}`)
  db.exec(`delete from body where message = ${ops[1]?.key}`)
  db.exec(`update delivery set notify = '{' where message = ${ops[2]?.key}`)
  const { results, corrupt } = store.apply(group(claimAll), [])
  expect(results).toMatchObject([{ ok: [{ key: ops[3]?.key }] }])
  expect(corrupt).toHaveLength(3)
  expect(db.prepare('select count(*) as n from delivery where state = 2').get()).toEqual({ n: 3 })
})

test('what left is forgotten after its time, and what stays is not', () => {
  const db = new DatabaseSync(':memory:')
  const store = createStore(db, options)
  store.apply(group(enqueue(0, 'gone@a.test'), enqueue(0, 'stays@b.test')), content(1))
  const settle: Operation = {
    do: 'settle',
    items: [{ lease: { delivery: lastKey - 9, token: 1 }, fate: { to: 'delivered' } }],
  }
  store.apply(group(claimAll, settle), [])
  store.apply({ now: 1004, mono: 0, ops: [{ do: 'sweep' }] }, [])
  expect(count(db)).toBe(2)
  store.apply({ now: 1005, mono: 0, ops: [{ do: 'sweep' }] }, [])
  expect(count(db)).toBe(1)
  expect(db.prepare('select count(*) as n from attempt').get()).toEqual({ n: 0 })
  expect(db.prepare('select local from delivery').all()).toEqual([{ local: 'stays' }])
})

test('no more of the past is kept than the limit, the newest', () => {
  const db = new DatabaseSync(':memory:')
  const store = createStore(db, { ...options, history: { keepMs: 1e9, limit: 2 } })
  for (let i = 0; i < 5; i++) {
    store.apply(group(enqueue(0, `u${i}@a.test`)), content(1))
    const settle: Operation = {
      do: 'settle',
      items: [{ lease: { delivery: lastKey + 1, token: 1 }, fate: { to: 'delivered' } }],
    }
    store.apply(group(claimAll, settle), [])
  }
  store.apply(group({ do: 'sweep' }), [])
  expect(db.prepare('select id from message order by id').all()).toEqual([{ id: lastKey - 10 }, { id: lastKey }])
})

test('keys whose time is over leave the table', () => {
  const db = new DatabaseSync(':memory:')
  const store = createStore(db, options)
  const set = (key: string, expires: number): Operation => ({
    do: 'kv',
    act: 'set',
    space: 's',
    key,
    value: 1,
    expires,
  })
  store.apply(group(set('old', 6), set('new', 100)), [])
  store.apply({ now: 50, mono: 0, ops: [{ do: 'sweep' }] }, [])
  expect(db.prepare('select key from kv').all()).toEqual([{ key: 'new' }])
})

test('a site has a row only while something of it waits', () => {
  const db = new DatabaseSync(':memory:')
  const store = createStore(db, options)
  store.apply(group({ ...enqueue(0), claim: { owner: 'o', leaseMs: 10 } }), content(1))
  expect(db.prepare('select * from site').all()).toEqual([])
  store.apply(group(enqueue(0)), content(1))
  expect(db.prepare('select name, ready_at from site').all()).toEqual([{ name: 'mx:there.test', ready_at: 5 }])
  store.apply(group(claimAll), [])
  expect(db.prepare('select * from site').all()).toEqual([])
})

test('one claim brings at most 8 MiB of content; the rest stays due', () => {
  const db = new DatabaseSync(':memory:')
  const store = createStore(db, options)
  const big = new Uint8Array(1024 * 1024)
  for (let i = 0; i < 12; i++) store.apply(group({ ...enqueue(0), size: big.byteLength }), [big])
  const first = store.apply(group(claimAll), [])
  const second = store.apply(group(claimAll), [])
  expect([first.contents.length, second.contents.length]).toEqual([8, 4])
})
