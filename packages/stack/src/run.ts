import type { Config } from './schema.ts'
import { createStack, type ListenerAddress, type Stack, type StackOptions } from './stack.ts'

/** How long sessions and attempts may take to finish after the first signal. */
const graceMs = 10_000

export interface RunOptions extends StackOptions {
  /** Called when everything listens; prints the ready line as JSON when absent. */
  readonly onReady?: (listeners: Readonly<Record<string, ListenerAddress>>, stack: Stack) => Promise<void> | void
  /** Called before anything is taken down. */
  readonly onStop?: () => Promise<void> | void
}

/**
 * Run a stack as a program: start it, say that it is ready, and stop it in good order on SIGTERM or SIGINT; a second signal ends the
 * process at once. Resolves when it has stopped.
 */
export const runStack = async (config: Config, o: RunOptions = {}): Promise<void> => {
  // What we make is for us alone, whoever started us and with which umask.
  process.umask(0o077)
  const stack = await createStack(config, { logTo: process.stdout, ...o })
  const ended = endOnSignal(async () => {
    await o.onStop?.()
    await stack.stop(graceMs)
  })
  const listeners = await stack.start()
  if (o.onReady === undefined) process.stdout.write(`${JSON.stringify({ event: 'ready', pid: process.pid, listeners })}\n`)
  else await o.onReady(listeners, stack)
  await ended
}

const endOnSignal = (stop: () => Promise<void>): Promise<void> =>
  new Promise((resolve, reject) => {
    let stopping = false
    const begin = (): void => {
      if (stopping) process.exit(130)
      stopping = true
      stop().then(resolve, reject)
    }
    process.on('SIGTERM', begin)
    process.on('SIGINT', begin)
    // Started by a launcher that could not become this process: its end is ours too.
    process.on('disconnect', begin)
  })
