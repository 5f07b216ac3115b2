import { expect, test } from 'vitest'
import { manualClock, memoryKeyValue, seededRandom } from '@posthorn/testkit'
import { decoySecret } from './decoy-secret.ts'

test('what is made once is found again, also by another node that starts at the same time', async () => {
  const kv = memoryKeyValue(manualClock())
  const [one, other] = await Promise.all([decoySecret(kv, seededRandom(1)), decoySecret(kv, seededRandom(2))])
  expect(one).toHaveLength(32)
  expect(other).toEqual(one)
  expect(await decoySecret(kv, seededRandom(3))).toEqual(one)
})
test('what is no secret is replaced', async () => {
  const kv = memoryKeyValue(manualClock())
  await kv.set('decoys', '', 1000)
  expect(await decoySecret(kv, seededRandom(1))).toHaveLength(32)
})
