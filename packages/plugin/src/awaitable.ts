import type { Awaitable } from '@posthorn/contracts'

/** Whether an answer is still to come. Contracts and chains answer with real promises only. */
export const isPending = <T>(answer: Awaitable<T>): answer is Promise<T> => answer instanceof Promise

/**
 * Go on with an answer: at once when it is there, so that what is synchronous costs no promise. (Not called `then`, or a module
 * that exports it would be taken for a promise.)
 */
export const andThen = <T, U>(answer: Awaitable<T>, next: (answer: T) => Awaitable<U>): Awaitable<U> =>
  isPending(answer) ? answer.then(next) : next(answer)
