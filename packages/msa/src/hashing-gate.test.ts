import { expect, test } from 'vitest'
import { createHashingGate, HashingBusy } from './hashing-gate.ts'

const work = () => {
  const ends: (() => void)[] = []
  let [running, most] = [0, 0]
  return {
    ends,
    get most() {
      return most
    },
    run: async (): Promise<void> => {
      most = Math.max(most, ++running)
      await new Promise<void>(resolve => ends.push(resolve))
      running--
    },
  }
}
const turn = () => new Promise(resolve => setImmediate(resolve))

test('row 32: of a thousand hashes few run at once, few wait, the rest are told to come back', async () => {
  const gate = createHashingGate(2, 10)
  const hashes = work()
  const all = Array.from({ length: 1000 }, () => gate.run(hashes.run))
  const settled = Promise.allSettled(all)
  for (let i = 0; i < 12; i++) {
    await turn()
    hashes.ends.shift()?.()
  }
  const results = await settled
  expect(hashes.most).toBe(2)
  expect(results.filter(r => r.status === 'fulfilled')).toHaveLength(12)
  expect(results.every(r => r.status === 'fulfilled' || r.reason instanceof HashingBusy)).toBe(true)
  const later = gate.run(() => Promise.resolve('free again'))
  expect(await later).toBe('free again')
})
test('one who leaves while waiting makes room', async () => {
  const gate = createHashingGate(1, 1)
  const hashes = work()
  const first = gate.run(hashes.run)
  const leaving = new AbortController()
  const second = gate.run(hashes.run, leaving.signal)
  leaving.abort(new Error('client gone'))
  await expect(second).rejects.toThrow('client gone')
  const third = gate.run(hashes.run)
  hashes.ends.shift()?.()
  await turn()
  hashes.ends.shift()?.()
  await Promise.all([first, third])
  expect(hashes.most).toBe(1)
})
test('work that fails leaves its place', async () => {
  const gate = createHashingGate(1, 0)
  await expect(gate.run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  expect(await gate.run(() => Promise.resolve(1))).toBe(1)
})
