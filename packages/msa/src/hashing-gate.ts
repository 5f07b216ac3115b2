/** Too many wait already; the client may try again. */
export class HashingBusy extends Error {
  override readonly name = 'HashingBusy'
  constructor() {
    super('too many passwords are being checked')
  }
}

/**
 * So many hashes at once and so many waiting: a flood of wrong passwords must not take the thread pool from the disk, nor memory
 * without end.
 */
export interface HashingGate {
  /** Rejects with HashingBusy, or with the signal's reason while waiting. A hash that has begun runs to its end. */
  run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>
}

export const createHashingGate = (atOnce: number, mostWaiting: number): HashingGate => {
  const waiting = new Set<() => void>()
  let running = 0
  const enter = (signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason)
      if (running < atOnce) {
        running++
        return resolve()
      }
      if (waiting.size >= mostWaiting) return reject(new HashingBusy())
      const go = (): void => {
        waiting.delete(go)
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      const onAbort = (): void => {
        waiting.delete(go)
        reject(signal?.reason)
      }
      waiting.add(go)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  const leave = (): void => {
    const [next] = waiting
    if (next === undefined) running--
    else next()
  }
  return {
    run: async (work, signal) => {
      await enter(signal)
      try {
        return await work()
      } finally {
        leave()
      }
    },
  }
}
