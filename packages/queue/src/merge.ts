import type { Group, GroupResult, Operation } from './operation.ts'
import { unpack } from './worker-message.ts'
import type { GroupMessage } from './worker-message.ts'

/** What one transaction works on. */
export interface Merged {
  readonly group: Group
  readonly contents: readonly Uint8Array[]
}

/** Groups that came one after another as one. Its time is that of the last. `messages` is not empty. */
export const mergeGroups = (messages: readonly GroupMessage[]): Merged => {
  let [now, mono] = [0, 0]
  const ops: Operation[] = []
  const contents: Uint8Array[] = []
  for (const { json, lengths, buffer } of messages) {
    const group = JSON.parse(json) as Group
    ;({ now, mono } = group)
    for (const op of group.ops) {
      if (op.base !== undefined) op.base += contents.length
      ops.push(op)
    }
    contents.push(...unpack(lengths, buffer))
  }
  return { group: { now, mono, ops }, contents }
}

/** The result of each group, by how many operations they had. What the transaction did besides is told with the first. */
export const splitResult = (result: GroupResult, counts: readonly number[]): readonly GroupResult[] => {
  let at = 0
  return counts.map((count, i) => {
    const results = result.results.slice(at, (at += count))
    return i === 0 ? { ...result, results } : { results, unlink: [], corrupt: [], contents: result.contents }
  })
}
