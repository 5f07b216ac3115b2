import type { Answers, Group, GroupResult, Query } from './operation.ts'

/** Runs groups in the order in which they come, and answers questions: in a thread of its own, or here. */
export interface Engine {
  /** `contents` are in parts that the engine joins; they are copied, never handed over. Rejects when the store is gone. */
  write(group: Group, contents: readonly (readonly Uint8Array[])[]): Promise<GroupResult>
  read<Q extends Query>(query: Q): Promise<Answers[Q['ask']]>
  close(): Promise<void>
}

/** One array of all parts. */
export const joinParts = (parts: readonly Uint8Array[]): Uint8Array => {
  const [only] = parts
  if (only !== undefined && parts.length === 1) return only
  const joined = new Uint8Array(parts.reduce((sum, p) => sum + p.byteLength, 0))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.byteLength
  }
  return joined
}
