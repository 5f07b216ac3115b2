import { Worker } from 'node:worker_threads'
import type { Journal } from '@posthorn/contracts'

/** What the thread that watches is started with. */
export interface Watched {
  /** Grows as long as the event loop turns. */
  readonly turns: Int32Array
  readonly silenceMs: number
  /** How the log is written. */
  readonly format: 'json' | 'text'
}

/** What the process ends with when its event loop does not turn: EX_SOFTWARE of sysexits.h, which nothing else of ours uses. */
export const hungExitCode = 70

/** How often it is noted within the silence that the event loop turns. */
const notes = 12

// Written out, so that tools find it.
const built = import.meta.url.endsWith('.js')
const program = built
  ? new URL('./watchdog-thread.js', import.meta.url)
  : new URL('./watchdog-thread.ts', import.meta.url)

/**
 * Watch from a thread of its own whether this process's event loop turns. When it has not for `silenceMs`, `service.hung` in the log
 * says where it is held up, and the process ends with `hungExitCode`, so that whoever started it starts it again. The result ends it.
 */
export const startWatchdog = (o: Omit<Watched, 'turns'> & { readonly journal: Journal }): (() => void) => {
  const turns = new Int32Array(new SharedArrayBuffer(4))
  const workerData: Watched = { turns, silenceMs: o.silenceMs, format: o.format }
  const thread = new Worker(program, {
    workerData,
    name: 'posthorn watchdog',
    // It has next to nothing to remember.
    resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16 },
  })
  thread.unref()
  thread.on('error', error => {
    o.journal.event('error', { where: 'watchdog', why: String(error) }, 'error')
  })
  const timer = setInterval(() => Atomics.add(turns, 0, 1), o.silenceMs / notes)
  timer.unref()
  return () => {
    clearInterval(timer)
    void thread.terminate()
  }
}
