import { afterAll } from 'vitest'

/** Remembers how to undo what a suite sets up, and does so at its end, the last first: all of it, even when a step or the setting-up failed. */
export const teardown = (): ((undo: () => unknown) => void) => {
  const steps: (() => unknown)[] = []
  afterAll(async () => {
    const errors: unknown[] = []
    for (const step of steps.toReversed())
      try {
        await step()
      } catch (error) {
        errors.push(error)
      }
    if (errors.length > 0) throw new AggregateError(errors, `tearing down: ${errors.join('; ')}`)
  })
  return undo => void steps.push(undo)
}
