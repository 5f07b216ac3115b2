import type { GroupResult } from './operation.ts'
import type { Recovered } from './store.ts'
import type { History } from './sweep.ts'

/** What the writer's thread is started with. */
export interface WriterData {
  readonly directory: string
  readonly sync: boolean
  readonly floor: number
  readonly history: History
  readonly maxPages?: number
  readonly now: number
  /** False when the thread is started again by the same instance, whose leases live on. */
  readonly recover: boolean
}

/**
 * A group as it crosses to the writer: JSON, which is cheaper than cloning objects, and all contents in one buffer that is
 * handed over. Lengths say where each content ends.
 */
export interface GroupMessage {
  readonly json: string
  readonly lengths: readonly number[]
  readonly buffer: ArrayBuffer | undefined
}
export type WriterReply =
  | { readonly kind: 'ready'; readonly recovered: Recovered }
  | { readonly kind: 'refused'; readonly error: string }
  | {
      readonly kind: 'result'
      readonly json: string
      readonly lengths: readonly number[]
      readonly buffer: ArrayBuffer | undefined
    }
  | { readonly kind: 'failed'; readonly error: string }

/** Copies, so that no pooled buffer of the caller's is handed over with its neighbours. */
export const pack = (
  contents: readonly (readonly Uint8Array[])[],
): { readonly lengths: readonly number[]; readonly buffer: ArrayBuffer | undefined } => {
  const lengths = contents.map(parts => parts.reduce((sum, p) => sum + p.byteLength, 0))
  const total = lengths.reduce((sum, n) => sum + n, 0)
  if (total === 0) return { lengths, buffer: undefined }
  const all = new Uint8Array(total)
  let at = 0
  for (const parts of contents) {
    for (const part of parts) {
      all.set(part, at)
      at += part.byteLength
    }
  }
  return { lengths, buffer: all.buffer }
}

export const unpack = (lengths: readonly number[], buffer: ArrayBuffer = new ArrayBuffer()): readonly Uint8Array[] => {
  let at = 0
  return lengths.map(length => {
    const view = new Uint8Array(buffer, at, length)
    at += length
    return view
  })
}

/** A result without its contents, which cross apart. */
export type PlainResult = Omit<GroupResult, 'contents'>
