import { createWriteStream, existsSync } from 'node:fs'
import { finished } from 'node:stream/promises'
import { join } from 'node:path'
import { createJournal } from '@posthorn/journal'
import { systemClock, systemRandom } from '@posthorn/system'
import { openQueue } from '@posthorn/queue'
import { connectControl } from './control.ts'
import { Failure } from './failure.ts'
import { operationsOf, type QueueOperations } from './queue-operations.ts'
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
  return withOwnQueue(state, directory, use)
}

/** No server runs whose log would have the events of what is changed: they go into a file of their own. */
const withOwnQueue = async <T>(
  state: string,
  directory: string,
  use: (queue: QueueOperations) => Promise<T>,
): Promise<T> => {
  const stream = createWriteStream(join(state, 'operators.log'), { flags: 'a', mode: 0o600 })
  const journal = createJournal({ stream, clock: systemClock, level: 'info', format: 'json' })
  try {
    const given = { directory, clock: systemClock, random: systemRandom, journal }
    const queue = await openQueue(given).catch((error: unknown) => {
      throw new Failure(error instanceof Error ? error.message : String(error))
    })
    try {
      return await use(operationsOf(queue, { journal }))
    } finally {
      await queue.close()
    }
  } finally {
    await journal.close()
    stream.end()
    await finished(stream)
  }
}
