import { existsSync } from 'node:fs'
import { systemClock, systemRandom } from '@posthorn/system'
import { openQueue } from '@posthorn/queue'
import { connectControl, type QueueOperations } from './control.ts'
import { Failure } from './failure.ts'
import { readRunning } from './running.ts'
import { directories } from '@posthorn/stack'

/** The queue of a state directory: through the server that runs on it, or opened here when none does. */
export const withQueue = async <T>(state: string, use: (queue: QueueOperations) => Promise<T>): Promise<T> => {
  const running = readRunning(state)
  const control = running === undefined ? undefined : await connectControl(running.control)
  if (control !== undefined) {
    try {
      return await use(control)
    } finally {
      control.close()
    }
  }
  const { queue: directory } = directories(state)
  if (!existsSync(directory))
    throw new Failure(`there is no queue under ${state}; name another with --state or --config`)
  const queue = await openQueue({ directory, clock: systemClock, random: systemRandom }).catch((error: unknown) => {
    throw new Failure(error instanceof Error ? error.message : String(error))
  })
  try {
    return await use(queue)
  } finally {
    await queue.close()
  }
}
