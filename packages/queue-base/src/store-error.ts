import type { StoreError } from '@posthorn/contracts'

/** The one error that leaves this package for an expected failure. `full` is answered 452 4.3.1, the rest 451 4.3.0. */
export const storeError = (message: string, o: { readonly full: boolean; readonly cause?: unknown }): StoreError =>
  Object.assign(new Error(message, o.cause === undefined ? undefined : { cause: o.cause }), {
    name: 'StoreError' as const,
    full: o.full,
  })

/** Whether a value was made by `storeError`. */
export const isStoreError = (x: unknown): x is StoreError => x instanceof Error && x.name === 'StoreError'

/** A used-up share (EDQUOT), for which Node has no name: Linux's number, and that of the BSDs. */
const shareUsedUp: ReadonlySet<unknown> = new Set([-122, -69])

/** Whether a failed system call means that room is short (ENOSPC, EDQUOT, EFBIG, no more inodes). */
const isFull = (error: unknown): boolean => {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const number = error instanceof Error && 'errno' in error ? error.errno : undefined
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG' || shareUsedUp.has(number)
}

/** Any failure of the file system as a StoreError. */
export const asStoreError = (error: unknown, doing: string): StoreError =>
  isStoreError(error)
    ? error
    : storeError(`${doing}: ${error instanceof Error ? error.message : String(error)}`, {
        full: isFull(error),
        cause: error,
      })
