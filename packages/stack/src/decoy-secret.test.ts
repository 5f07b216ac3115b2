import type { KeyValue } from '@posthorn/contracts'
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
test('row 47: a store that takes nothing more keeps no server from starting, with the secret that it has or one for this time', async () => {
  const whole = memoryKeyValue(manualClock())
  const refuse = (): Promise<never> => Promise.reject(new Error('full'))
  const full: KeyValue = { ...whole, set: refuse, swap: refuse }
  expect(await decoySecret(full, seededRandom(1))).toHaveLength(32)
  const kept = await decoySecret(whole, seededRandom(2))
  expect(await decoySecret(full, seededRandom(3))).toEqual(kept)
})
