import { storeError } from '@posthorn/queue-base'

interface Waiting<In, Out> {
  readonly item: In
  readonly bytes: number
  readonly resolve: (out: Out) => void
  readonly reject: (error: unknown) => void
}

/** Gathers what many sessions ask at the same time, so that they share a transaction and its flush. */
export interface Group<In, Out> {
  /** `bytes` is the item's part of what one transaction may carry. */
  readonly submit: (item: In, bytes?: number) => Promise<Out>
  /** Resolves when nothing is in flight or waiting; nothing may be submitted afterwards. */
  close(): Promise<void>
  readonly stats: { readonly groups: number; readonly operations: number }
}

/** Bounds of one transaction. */
const maxItems = 500
const maxBytes = 8 * 1024 * 1024

/**
 * At most `parallel` groups are in flight; what comes meanwhile waits and shares the next. `run` answers for each item, with its
 * result or an Error for it alone; when it rejects, all of the group fail.
 */
export const createGroup = <In, Out>(
  run: (items: readonly In[]) => Promise<readonly (Out | Error)[]>,
  parallel: number,
): Group<In, Out> => {
  const stats = { groups: 0, operations: 0 }
  const lanes = new Set<Promise<void>>()
  let waiting: Waiting<In, Out>[] = []
  let running = 0
  let closed = false

  const take = (): readonly Waiting<In, Out>[] => {
    let [count, bytes] = [0, 0]
    for (const w of waiting) {
      if (count >= maxItems || (count > 0 && bytes + w.bytes > maxBytes)) break
      count++
      bytes += w.bytes
    }
    const taken = waiting.slice(0, count)
    waiting = waiting.slice(count)
    return taken
  }
  const runOne = async (taken: readonly Waiting<In, Out>[]): Promise<void> => {
    stats.groups++
    stats.operations += taken.length
    try {
      const results = await run(taken.map(w => w.item))
      taken.forEach((w, i) => {
        const result = results[i]
        if (result instanceof Error || result === undefined)
          w.reject(result ?? storeError('no result', { full: false }))
        else w.resolve(result)
      })
    } catch (error) {
      for (const w of taken) w.reject(error)
    }
  }
  const drain = async (): Promise<void> => {
    // Let those of the same turn join the first group.
    await Promise.resolve()
    while (waiting.length > 0) await runOne(take())
    // In the same step as the look that found nothing: whoever comes after it must find no lane, and open one.
    running--
  }
  const open = (): void => {
    running++
    const lane: Promise<void> = drain().finally(() => void lanes.delete(lane))
    lanes.add(lane)
  }

  return {
    submit: (item, bytes = 0) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(storeError('the queue is closed', { full: false }))
        waiting.push({ item, bytes, resolve, reject })
        // A second lane only when the first has something in flight and more than a few wait: batches are worth more than haste.
        if (running === 0 || (running < parallel && waiting.length >= 16)) open()
      }),
    close: async () => {
      closed = true
      while (lanes.size > 0) await Promise.all(lanes)
    },
    stats,
  }
}
