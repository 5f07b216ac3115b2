import type { Clock } from '@posthorn/contracts'

const timeout = (ms: number): Error => Object.assign(new Error(`no answer within ${ms} ms`), { name: 'TimeoutError' })

/** The waits of a clock whose time is not the machine's, by its `after`. */
export const waits = (after: Clock['after']): Pick<Clock, 'sleep' | 'deadline'> => ({
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason)
      const onAbort = (): void => {
        cancel()
        reject(signal?.reason)
      }
      const cancel = after(ms, () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      signal?.addEventListener('abort', onAbort, { once: true })
    }),
  deadline: (ms, parent) => {
    const controller = new AbortController()
    const onAbort = (): void => {
      clear()
      controller.abort(parent?.reason)
    }
    const clear = (): void => {
      cancel()
      parent?.removeEventListener('abort', onAbort)
    }
    const cancel = after(ms, () => {
      clear()
      controller.abort(timeout(ms))
    })
    if (parent?.aborted === true) onAbort()
    else parent?.addEventListener('abort', onAbort, { once: true })
    return { signal: controller.signal, clear }
  },
})
