import { performance } from 'node:perf_hooks'
import type { Clock } from '@posthorn/contracts'

/** Node fires a longer timeout at once, so longer waits are done in pieces. */
const LONGEST = 2 ** 31 - 1

const schedule = (ms: number, call: () => void, keepAlive: boolean): (() => void) => {
  let timer: NodeJS.Timeout
  const arm = (left: number): void => {
    timer = setTimeout(() => (left > LONGEST ? arm(left - LONGEST) : call()), Math.min(left, LONGEST))
    if (!keepAlive) timer.unref()
  }
  arm(Math.max(0, ms))
  return () => clearTimeout(timer)
}

const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error)
    const onAbort = (): void => {
      cancel()
      reject(signal?.reason as Error)
    }
    const cancel = schedule(
      ms,
      () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      },
      true,
    )
    signal?.addEventListener('abort', onAbort, { once: true })
  })

/** The time of this machine. A pending `sleep` keeps the process alive, `after` and `deadline` do not. */
export const systemClock: Clock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  sleep,
  after: (ms, call) => schedule(ms, call, false),
  deadline(ms, parent) {
    const controller = new AbortController()
    const onParent = (): void => {
      cancel()
      controller.abort(parent?.reason)
    }
    const cancel = schedule(
      ms,
      () => {
        parent?.removeEventListener('abort', onParent)
        controller.abort(new DOMException(`no answer within ${ms} ms`, 'TimeoutError'))
      },
      false,
    )
    if (parent?.aborted) onParent()
    else parent?.addEventListener('abort', onParent, { once: true })
    return {
      signal: controller.signal,
      clear() {
        cancel()
        parent?.removeEventListener('abort', onParent)
      },
    }
  },
}
