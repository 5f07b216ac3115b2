import { expect, test } from 'vitest'
import { GroupSync } from './group-sync.ts'

const controlled = () => {
  const ends: PromiseWithResolvers<void>[] = []
  const group = new GroupSync(() => {
    const end = Promise.withResolvers<void>()
    ends.push(end)
    return end.promise
  })
  return { ends, group }
}
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('who joins while a sync runs waits for the next one', async () => {
  const { ends, group } = controlled()
  const first = group.join()
  await turn()
  expect(ends).toHaveLength(1)
  let done = 0
  const late = [group.join(), group.join(), group.join()].map(p => p.then(() => (done += 1)))
  ends[0]?.resolve()
  await first
  await turn()
  expect([ends.length, done]).toEqual([2, 0])
  ends[1]?.resolve()
  await Promise.all(late)
  expect([ends.length, done]).toEqual([2, 3])
})

test('a failed sync fails those it was for, and not those after them', async () => {
  const { ends, group } = controlled()
  const first = group.join()
  await turn()
  const second = group.join()
  ends[0]?.reject(new Error('EIO'))
  await expect(first).rejects.toThrow('EIO')
  await turn()
  ends[1]?.resolve()
  await expect(second).resolves.toBeUndefined()
})
