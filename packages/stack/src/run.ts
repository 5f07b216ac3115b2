import { HeldLog } from './held-log.ts'
import type { Config } from './schema.ts'
import { createStack, type ListenerAddress, type Stack, type StackOptions } from './stack.ts'

/** How long sessions and attempts may take to finish after the first signal. */
const graceMs = 10_000

export interface RunOptions extends StackOptions {
  /** Called when everything listens; prints the ready line as JSON when absent. Log lines come after what it prints. */
  readonly onReady?: (listeners: Readonly<Record<string, ListenerAddress>>, stack: Stack) => Promise<void> | void
  /** Called before anything is taken down. */
  readonly onStop?: () => Promise<void> | void
}

/**
 * Run a stack as a program: start it, say that it is ready, and stop it in good order on SIGTERM or SIGINT; a second signal ends the
 * process at once. Resolves when it has stopped; rejects as `createStack` and `start` do, with nothing left open.
 */
export const runStack = async (config: Config, o: RunOptions = {}): Promise<void> => {
  // What we make is for us alone, whoever started us and with which umask.
  process.umask(0o077)
  const log = new HeldLog(o.logTo ?? process.stdout)
  try {
    await run(config, { ...o, logTo: log }, log)
  } finally {
    log.release()
  }
}

const run = async (config: Config, o: RunOptions, log: HeldLog): Promise<void> => {
  const stack = await createStack(config, o)
  const signal = onSignal()
  const ended = signal.received.then(async () => {
    await o.onStop?.()
    await stack.stop(graceMs)
  })
  try {
    const listeners = await stack.start()
    if (o.onReady === undefined)
      process.stdout.write(`${JSON.stringify({ event: 'ready', pid: process.pid, listeners })}\n`)
    else await o.onReady(listeners, stack)
  } catch (error) {
    // Told to stop while it started: then that is what happened, and no failure.
    if (signal.came) return await ended
    await o.onStop?.()
    await stack.stop(0)
    throw error
  }
  log.release()
  await ended
}

/** The first signal to stop; the second ends the process. */
const onSignal = (): { readonly received: Promise<void>; readonly came: boolean } => {
  const { promise, resolve } = Promise.withResolvers<void>()
  let came = false
  const begin = (): void => {
    if (came) process.exit(130)
    came = true
    resolve()
  }
  process.on('SIGTERM', begin)
  process.on('SIGINT', begin)
  // Started by a launcher that could not become this process: its end is ours too.
  process.on('disconnect', begin)
  return {
    received: promise,
    get came() {
      return came
    },
  }
}
