import type { Clock, StoreError } from '@posthorn/contracts'
import type { Engine } from './engine.ts'
import type { GroupResult, Operation } from './operation.ts'
import { asStoreError, storeError } from '@posthorn/queue-base'

/** Bounds of one transaction: more waits for the next. */
const maxOps = 1000
const maxBytes = 16 * 1024 * 1024
/**
 * While a group is written, another one waits at the writer's door once it has so many operations that somebody waits for: a transaction
 * has its price. Nobody waits for the end of an attempt to be written down.
 */
const enough = 4
const isAwaited = ({ op }: Waiting): boolean => op.do !== 'settle'
/** Between two steps of sweeping, in ms; sooner while there is much to sweep. */
const sweepEvery = 10_000
const sweepAgain = 50

interface Waiting {
  readonly op: Operation
  readonly contents: readonly (readonly Uint8Array[])[]
  readonly bytes: number
  readonly resolve: (done: Done) => void
  readonly reject: (error: StoreError) => void
}

/** An operation's result, and the contents that came with its group. */
export interface Done {
  readonly value: unknown
  readonly contents: readonly Uint8Array[]
}

/** Gathers operations into groups: those of a turn, and those that come while groups are written. */
export interface Grouper {
  /** Rejects with StoreError. `contents` are the operation's contents in parts, which must not change until then. */
  readonly submit: (op: Operation, contents?: readonly (readonly Uint8Array[])[]) => Promise<Done>
  /** Resolves when nothing is in flight or waiting; nothing may be submitted afterwards. */
  close(): Promise<void>
  readonly stats: { readonly groups: number; readonly operations: number }
}

export const createGrouper = (
  engine: Engine,
  o: {
    readonly clock: Clock
    /** Called before the group's promises settle. */
    readonly onResult: (result: GroupResult) => void
  },
): Grouper => {
  const { clock } = o
  const stats = { groups: 0, operations: 0 }
  let waiting: Waiting[] = []
  /** Of those waiting. */
  let awaited = 0
  let gathering = false
  /** Groups under way. */
  let flying = 0
  let landed: (() => void) | undefined
  let closed = false
  let nextSweep = 0

  const take = (): readonly Waiting[] => {
    let [count, bytes] = [0, 0]
    for (const w of waiting) {
      if (count >= maxOps || (count > 0 && bytes + w.bytes > maxBytes)) break
      count++
      bytes += w.bytes
    }
    const taken = waiting.slice(0, count)
    waiting = waiting.slice(count)
    awaited = waiting.filter(isAwaited).length
    return taken
  }
  const runGroup = async (taken: readonly Waiting[]): Promise<void> => {
    const contents: (readonly Uint8Array[])[] = []
    const ops = taken.map(w => {
      if (w.contents.length > 0) w.op.base = contents.length
      contents.push(...w.contents)
      return w.op
    })
    const mono = clock.monotonic()
    const sweeping = mono >= nextSweep
    if (sweeping) {
      nextSweep = mono + sweepEvery
      ops.push({ do: 'sweep' })
    }
    stats.groups++
    stats.operations += taken.length
    let result: GroupResult
    try {
      result = await engine.write({ now: clock.wall(), mono, ops }, contents)
    } catch (error) {
      land()
      return failAll(taken, error)
    }
    // First of all, so that the disk works while the answers to this group leave.
    land()
    try {
      o.onResult(result)
      settleAll(taken, result)
    } catch (error) {
      return failAll(taken, error)
    }
    const swept = sweeping ? result.results.at(-1) : undefined
    if (swept !== undefined && 'ok' in swept && swept.ok === true) nextSweep = mono + sweepAgain
  }
  const mayFly = (): boolean => (flying === 0 ? waiting.length > 0 : flying === 1 && awaited >= enough)
  const land = (): void => {
    flying--
    fly()
  }
  const fly = (): void => {
    gathering = false
    while (mayFly()) {
      flying++
      void runGroup(take())
    }
    if (flying === 0) landed?.()
  }

  return {
    submit: (op, contents = []) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(storeError('the queue is closed', { full: false }))
        const bytes = contents.reduce((sum, parts) => parts.reduce((n, p) => n + p.byteLength, sum), 0)
        const one = { op, contents, bytes, resolve, reject }
        waiting.push(one)
        if (isAwaited(one)) awaited++
        if (gathering || !mayFly()) return
        gathering = true
        // A microtask later, for the rest of the turn.
        queueMicrotask(fly)
      }),
    close: async () => {
      closed = true
      if (gathering) fly()
      if (flying > 0) await new Promise<void>(resolve => (landed = resolve))
    },
    stats,
  }
}

const settleAll = (taken: readonly Waiting[], { results, contents }: GroupResult): void =>
  taken.forEach((w, i) => {
    const r = results[i]
    if (r !== undefined && 'ok' in r) w.resolve({ value: r.ok, contents })
    else w.reject(storeError(r?.error ?? 'no result', { full: r?.full ?? false }))
  })

const failAll = (taken: readonly Waiting[], error: unknown): void => {
  const failure = asStoreError(error, 'the store failed')
  for (const w of taken) w.reject(failure)
}
