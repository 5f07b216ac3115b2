import { expect, test } from 'vitest'
import { Opened } from './opened.ts'

test('what was opened is closed in the opposite order, once, and a failure keeps nothing else open', async () => {
  const closed: string[] = []
  const opened = new Opened()
  opened.add(() => closed.push('first'))
  opened.add(() => Promise.reject(new Error('no')))
  opened.add(async () => closed.push('last'))
  await opened.close()
  await opened.close()
  expect(closed).toEqual(['last', 'first'])
})
