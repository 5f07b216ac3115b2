/** Lets so many in at once; the others wait in order. */
export interface Gate {
  /** Resolves to what must be called when leaving. Rejects with the signal's reason. */
  enter(signal: AbortSignal): Promise<() => void>
}

export const createGate = (places: number): Gate => {
  const waiting = new Set<() => void>()
  const leave = (): void => {
    const [next] = waiting
    if (next === undefined) places++
    else next()
  }
  return {
    enter: signal =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        const enter = (): void => {
          waiting.delete(enter)
          signal.removeEventListener('abort', onAbort)
          resolve(leave)
        }
        const onAbort = (): void => {
          waiting.delete(enter)
          reject(signal.reason)
        }
        if (places > 0) {
          places--
          return resolve(leave)
        }
        waiting.add(enter)
        signal.addEventListener('abort', onAbort, { once: true })
      }),
  }
}
