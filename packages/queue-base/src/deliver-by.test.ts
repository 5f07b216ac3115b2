import type { DeliverBy } from '@posthorn/contracts'
import { expect, it } from 'vitest'
import { packDeliverBy, unpackDeliverBy } from './deliver-by.ts'

const times = [0, 1, -1, -999_999_999_001, 1_800_000_000_123, 2_800_000_000_000]
const all = times.flatMap(at =>
  (['return', 'notify'] as const).flatMap(mode => [true, false].map((trace): DeliverBy => ({ at, mode, trace }))),
)

it.each(all)('what is unpacked is what was packed: %o', by => {
  expect(unpackDeliverBy(packDeliverBy(by))).toEqual(by)
})
it('a number is a safe integer, however far away the time is', () => {
  for (const at of [1e300, -1e300, Infinity, -Infinity])
    expect(packDeliverBy({ at, mode: 'return', trace: true })).toSatisfy(Number.isSafeInteger)
})
it('all that differ are stored differently', () => {
  expect(new Set(all.map(packDeliverBy)).size).toBe(all.length)
})
