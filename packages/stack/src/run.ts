import { HeldLog } from './held-log.ts'
import type { LogOptions } from './log.ts'
import type { Config } from './schema.ts'
import { createStack, type ListenerAddress, type Stack, type StackOptions } from './stack.ts'

/** How long sessions and attempts may take to finish after the first signal. */
const graceMs = 10_000

type Listeners = Readonly<Record<string, ListenerAddress>>

/** What can be run as a program: a stack, or what is started and stopped like one. */
export interface Runnable {
  /** Resolves when everything listens. */
  start(): Promise<Listeners>
  /** Idempotent; never rejects. */
  stop(graceMs?: number): Promise<void>
}

export interface RunOptions<S extends Runnable = Stack> {
  /** Where log lines go; standard output when absent. */
  readonly logTo?: NonNullable<LogOptions['logTo']>
  /** Called when everything listens; prints the ready line as JSON when absent. Log lines come after what it prints. */
  readonly onReady?: (listeners: Listeners, running: S) => Promise<void> | void
  /** Called before anything is taken down. */
  readonly onStop?: () => Promise<void> | void
}

/**
 * Run a service as a program: make it, with the log that it is to use, start it, say that it is ready, and stop it in good order on SIGTERM
 * or SIGINT; a second signal ends the process at once. Resolves when it has stopped; rejects as `make` and `start` do, with nothing left open.
 */
export const runService = async <S extends Runnable>(
  make: (log: NonNullable<LogOptions['logTo']>) => Promise<S>,
  o: RunOptions<S> = {},
): Promise<void> => {
  // What we make is for us alone, whoever started us and with which umask.
  process.umask(0o077)
  const log = new HeldLog(o.logTo ?? process.stdout)
  try {
    await run(await make(log), o, log)
  } finally {
    log.release()
  }
}

/** Run a stack as a program. */
export const runStack = (config: Config, o: RunOptions & StackOptions = {}): Promise<void> =>
  runService(logTo => createStack(config, { ...o, logTo }), o)

const run = async <S extends Runnable>(service: S, o: RunOptions<S>, log: HeldLog): Promise<void> => {
  const signal = onSignal()
  const ended = signal.received.then(async () => {
    await o.onStop?.()
    await service.stop(graceMs)
  })
  try {
    const listeners = await service.start()
    if (o.onReady === undefined)
      process.stdout.write(`${JSON.stringify({ event: 'ready', pid: process.pid, listeners })}\n`)
    else await o.onReady(listeners, service)
  } catch (error) {
    // Told to stop while it started: then that is what happened, and no failure.
    if (signal.came) return await ended
    await o.onStop?.()
    await service.stop(0)
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
