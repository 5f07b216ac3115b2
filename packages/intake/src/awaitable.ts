import type { Awaitable } from '@posthorn/contracts'

const isPending = <T>(x: Awaitable<T>): x is Promise<T> => x instanceof Promise

/** Go on with a value at once, or when it has come: what is synchronous stays so. */
export const andThen = <T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): Awaitable<R> =>
  isPending(value) ? value.then(next) : next(value)

/** The same, but what is thrown or rejected before or in `next` becomes a value. */
export const guarded = <R>(work: () => Awaitable<R>, failed: (error: unknown) => R): Awaitable<R> => {
  try {
    const result = work()
    return isPending(result) ? result.catch(failed) : result
  } catch (error) {
    return failed(error)
  }
}
