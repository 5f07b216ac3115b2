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

test('the next group is under way before the answers to the last one leave, whether it succeeded or failed', async () => {
  const { begun, grouper } = byHand()
  const underWay: number[] = []
  const seen = (): void => void underWay.push(begun.length)
  const first = grouper.submit({ do: 'nextDue' }).then(seen)
  await turn()
  const second = grouper.submit({ do: 'nextDue' }).then(seen, seen)
  await turn()
  expect(begun).toHaveLength(1)
  begun[0]?.end()
  await first
  const third = grouper.submit({ do: 'nextDue' }).then(seen)
  await turn()
  begun[1]?.fail()
  await second
  begun[2]?.end()
  await third
  expect(underWay).toEqual([2, 3, 3])
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

test('while one group is written a second one goes to the door once it is worth a transaction, and all else waits', async () => {
  const { begun, grouper } = byHand()
  const submit = (count: number): Promise<unknown> =>
    Promise.all(Array.from({ length: count }, () => grouper.submit({ do: 'nextDue' })))
  const first = submit(1)
  await turn()
  const few = submit(3)
  await turn()
  expect(begun).toHaveLength(1)
  const enough = submit(1)
  await turn()
  expect(begun).toHaveLength(2)
  const more = submit(9)
  await turn()
  expect(begun).toHaveLength(2)
  begun[0]?.end()
  await first
  expect(begun).toHaveLength(3)
  begun[1]?.end()
  begun[2]?.end()
  await Promise.all([few, enough, more])
  await grouper.close()
  expect(grouper.stats).toEqual({ groups: 3, operations: 14 })
})

test('ends of attempts do not send a second group to the door, since nobody waits for them', async () => {
  const { begun, grouper } = byHand()
  const first = grouper.submit({ do: 'nextDue' })
  await turn()
  const ends = Array.from({ length: 9 }, () => grouper.submit({ do: 'settle', items: [] }))
  const few = Array.from({ length: 3 }, () => grouper.submit({ do: 'nextDue' }))
  await turn()
  expect(begun).toHaveLength(1)
  const enough = grouper.submit({ do: 'nextDue' })
  await turn()
  expect(begun).toHaveLength(2)
  const more = grouper.submit({ do: 'settle', items: [] })
  begun[0]?.end()
  await first
  expect(begun).toHaveLength(2)
  begun[1]?.end()
  await Promise.all([...ends, ...few, enough])
  expect(begun).toHaveLength(3)
  begun[2]?.end()
  await more
})
