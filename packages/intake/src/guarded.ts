import { isPending } from '@posthorn/plugin'
import type { Awaitable } from '@posthorn/contracts'

/** Do work of which what is thrown or rejected becomes a value; what is synchronous stays so. */
export const guarded = <R>(work: () => Awaitable<R>, failed: (error: unknown) => R): Awaitable<R> => {
  try {
    const result = work()
    return isPending(result) ? result.catch(failed) : result
  } catch (error) {
    return failed(error)
  }
}
