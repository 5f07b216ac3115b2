import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { createReads } from './reads.ts'
import { prepareSchema } from './schema.ts'
import { createStore } from './store.ts'
import type { Store } from './store.ts'

const firstSchema = readFileSync(join(import.meta.dirname, '../test/schema-1.sql'), 'utf8')
const store = (db: DatabaseSync): Store =>
  createStore(db, {
    history: { keepMs: 1e9, limit: 1000 },
    checkSpool: () => undefined,
    releaseReserve: () => {},
  })
const shape = (db: DatabaseSync): unknown =>
  db.prepare(`select type, name, sql from sqlite_schema where name not like 'sqlite_%' order by name`).all()
const version = (db: DatabaseSync): unknown =>
  db.prepare(`select value from meta where key = 'schema'`).get()?.['value']

test('a store of the first release is brought up to date with all that it holds', () => {
  const db = new DatabaseSync(':memory:')
  db.exec(firstSchema)
  const upToDate = store(db)
  const all = { ask: 'list', now: 100, filter: { and: [] }, after: 0, limit: 10 } as const
  const reads = createReads(db)
  const { rows } = reads.answer(all)
  expect(rows).toMatchObject([{ rcpt: 'bob@there.test', attempts: 2, why: 'greylisted', tags: ['vip'] }])
  const id = rows[0]?.id
  if (id === undefined) throw new Error('nothing is listed')
  expect(reads.answer({ ask: 'show', now: 100, id })?.history.map(h => h.event)).toEqual(['received', 'deferred'])
  const claim = { do: 'claim', owner: 'o', sites: 1, perSite: 1, leaseMs: 10, skip: [] } as const
  expect(upToDate.apply({ now: 100, mono: 0, ops: [claim] }, [])).toMatchObject({
    results: [{ ok: [{ key: 1000, deliveries: [{ delivery: 1001, token: 4 }] }] }],
  })
  expect(reads.answer({ ask: 'suspensions' })).toEqual([])
})

test('it is then the same as a new one, and opening it again changes nothing', () => {
  const [old, fresh] = [new DatabaseSync(':memory:'), new DatabaseSync(':memory:')]
  old.exec(firstSchema)
  for (const db of [old, old, fresh]) prepareSchema(db)
  expect(shape(old)).toEqual(shape(fresh))
  expect(version(old)).toBe(version(fresh))
})

test('a step that fails leaves the store as it was, for the release that wrote it', () => {
  const db = new DatabaseSync(':memory:')
  db.exec(firstSchema)
  db.exec('create table suspension(mine text)')
  const before = shape(db)
  expect(() => prepareSchema(db)).toThrow(/already exists/)
  expect([shape(db), version(db), db.isTransaction]).toEqual([before, 1, false])
})

test('a store of a newer release is refused in words, as is one that is not ours', () => {
  const db = new DatabaseSync(':memory:')
  prepareSchema(db)
  db.exec(`update meta set value = 99 where key = 'schema'`)
  expect(() => prepareSchema(db)).toThrow(/newer release \(schema 99, .*start the release that wrote it/)
  const other = new DatabaseSync(':memory:')
  other.exec('create table theirs(x)')
  expect(() => prepareSchema(other)).toThrow(/another program/)
})
