import { expect, test } from 'vitest'
import { mergeGroups, splitResult } from './merge.ts'
import type { Group, GroupResult } from './operation.ts'
import { pack } from './worker-message.ts'
import type { GroupMessage } from './worker-message.ts'

const message = (group: Group, contents: readonly string[] = []): GroupMessage => ({
  json: JSON.stringify(group),
  count: group.ops.length,
  ...pack(contents.map(c => [new TextEncoder().encode(c)])),
})

test('an operation finds its contents behind those of the groups before it, and the time is that of the last', () => {
  const { group, contents } = mergeGroups([
    message({ now: 1, mono: 10, ops: [{ do: 'settle', items: [], base: 0 }] }, ['a', 'bc']),
    message({ now: 2, mono: 20, ops: [{ do: 'nextDue' }] }),
    message({ now: 3, mono: 30, ops: [{ do: 'sweep' }, { do: 'settle', items: [], base: 0 }] }, ['d']),
  ])
  expect(group).toEqual({
    now: 3,
    mono: 30,
    ops: [
      { do: 'settle', items: [], base: 0 },
      { do: 'nextDue' },
      { do: 'sweep' },
      { do: 'settle', items: [], base: 2 },
    ],
  })
  expect(contents.map(c => new TextDecoder().decode(c))).toEqual(['a', 'bc', 'd'])
})

test('each group is told its own results, and what is to be done once is told once', () => {
  const result: GroupResult = {
    results: [{ ok: 1 }, { error: 'x', full: false }, { ok: 3 }],
    unlink: ['id' as never],
    corrupt: [],
    contents: [new Uint8Array(1)],
    wake: 5,
    reopened: true,
  }
  const [first, second] = splitResult(result, [1, 2])
  expect(first).toEqual({ ...result, results: [{ ok: 1 }] })
  expect(second).toEqual({
    results: [{ error: 'x', full: false }, { ok: 3 }],
    unlink: [],
    corrupt: [],
    contents: result.contents,
  })
})
