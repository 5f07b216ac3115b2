import { createWriteStream, existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { finished } from 'node:stream/promises'
import { createJournal } from '@posthorn/journal'
import { checkConfig, directories, openStore, type Config } from '@posthorn/stack'
import { systemClock, systemRandom } from '@posthorn/system'
import { connectControl } from './control.ts'
import { developmentConfig } from './development.ts'
import { Failure } from './failure.ts'
import { operationsOf, type QueueOperations } from './queue-operations.ts'
import { readRunning } from './running.ts'
import { refuseForeignState } from './own-state.ts'
import { loadSettings } from './settings.ts'
import type { StateOptions } from './state-option.ts'

/** A state directory alone says nothing of a database: its queue is the one below it. */
export const settingsOf = async (o: StateOptions): Promise<{ readonly config: Config; readonly state: string }> =>
  o.state === undefined || o.config !== undefined
    ? loadSettings(o)
    : { config: checkConfig(developmentConfig({})), state: resolve(o.state) }

/**
 * The queue that the options mean: through the server that runs on its state directory, or opened here when none does. A queue in a
 * database can be asked from any machine, whether its nodes run or not.
 */
export const withQueue = async <T>(o: StateOptions, use: (queue: QueueOperations) => Promise<T>): Promise<T> => {
  const { config, state } = await settingsOf(o)
  const running = readRunning(state)
  const control = running === undefined ? undefined : await connectControl(running.control)
  if (control !== undefined) {
    try {
      return await use(control)
    } finally {
      control.close()
    }
  }
  const at = directories(state)
  if (config.queue === 'embedded' && !existsSync(at.queue))
    throw new Failure(`there is no queue under ${state}; name another with --state or --config`)
  return withOwnQueue(config, state, use)
}

/** No server runs whose log would have the events of what is changed: they go into a file of their own. */
const withOwnQueue = async <T>(
  config: Config,
  state: string,
  use: (queue: QueueOperations) => Promise<T>,
): Promise<T> => {
  refuseForeignState(state)
  mkdirSync(state, { recursive: true, mode: 0o700 })
  const stream = createWriteStream(join(state, 'operators.log'), { flags: 'a', mode: 0o600 })
  const journal = createJournal({ stream, clock: systemClock, level: 'info', format: 'json' })
  try {
    const given = { clock: systemClock, random: systemRandom, journal }
    const queue = await openStore(config, directories(state), given).catch((error: unknown) => {
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
