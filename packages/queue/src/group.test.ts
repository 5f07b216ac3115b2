import { manualClock } from '@posthorn/testkit'
import { expect, test } from 'vitest'
import type { Engine } from './engine.ts'
import { createGrouper } from './group.ts'
import type { Group, GroupResult } from './operation.ts'

const done = ({ ops }: Group): GroupResult => ({
  results: ops.map(() => ({ ok: null })),
  unlink: [],
  corrupt: [],
  contents: [],
})

/** An engine whose groups end when the test says so. */
const byHand = () => {
  const begun: { readonly end: () => void; readonly fail: () => void }[] = []
  const engine: Engine = {
    write: group =>
      new Promise((resolve, reject) => {
        begun.push({ end: () => resolve(done(group)), fail: () => reject(new Error('no disk')) })
      }),
    read: () => Promise.reject(new Error('nothing is read here')),
    close: async () => {},
  }
  return { begun, grouper: createGrouper(engine, { clock: manualClock(), onResult: () => {} }) }
}

const turn = (): Promise<void> => new Promise(setImmediate)

test('what comes while a group is under way is handed on without waiting for it, also when it fails', async () => {
  const { begun, grouper } = byHand()
  const first = grouper.submit({ do: 'nextDue' })
  await turn()
  const second = grouper.submit({ do: 'nextDue' })
  await turn()
  expect(begun).toHaveLength(2)
  begun[0]?.fail()
  await expect(first).rejects.toThrow('no disk')
  begun[1]?.end()
  expect(await second).toMatchObject({ value: null })
  expect(grouper.stats).toEqual({ groups: 2, operations: 2 })
})

test('what comes in one turn shares a group, and close waits for all of it', async () => {
  const { begun, grouper } = byHand()
  const operations = [grouper.submit({ do: 'nextDue' }), grouper.submit({ do: 'nextDue' })]
  const later = turn().then(() => grouper.submit({ do: 'nextDue' }))
  await turn()
  await turn()
  const closed = grouper.close().then(() => grouper.stats)
  begun[0]?.end()
  await Promise.all(operations)
  begun[1]?.end()
  await later
  expect(await closed).toEqual({ groups: 2, operations: 3 })
})
