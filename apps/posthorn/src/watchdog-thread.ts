import { writeSync } from 'node:fs'
import { Session, type Debugger } from 'node:inspector'
import { isatty } from 'node:tty'
import { workerData } from 'node:worker_threads'
import type { LogStream } from '@posthorn/journal'
import { Heartbeat } from './heartbeat.ts'
import { hungExitCode, type Watched } from './watchdog.ts'

/** How long the event loop's thread may take to say where it is and to end the process, in ms. */
const lastWordMs = 5_000
/** Calls that are named, the innermost first. */
const mostCalls = 5

const { turns, silenceMs, format } = workerData as Watched

/** Straight to standard output: its stream belongs to the thread that is held up. */
const out: LogStream = {
  write: text => {
    writeSync(1, text)
    return true
  },
  once: () => undefined,
  on: () => undefined,
  isTTY: isatty(1),
}

const tell = async (
  how: { readonly code: number; readonly where: string } | { readonly signal: string },
): Promise<void> => {
  // Only now: until then this thread costs little memory.
  const { createJournal } = await import('@posthorn/journal')
  const journal = createJournal({ stream: out, format, level: 'info' })
  journal.event('service.hung', { silentMs: silenceMs, ...how }, 'error')
  await journal.flush()
}

/** A thread that runs native code and never comes back to JavaScript can only be killed. The first process of a container cannot. */
const kill = (): void => {
  process.kill(process.pid, 'SIGKILL')
}

const placeOf = (frame: Debugger.CallFrame, files: ReadonlyMap<string, string>): string => {
  const file = files.get(frame.location.scriptId) ?? '?'
  return `${frame.functionName === '' ? '(anonymous)' : frame.functionName} ${file}:${frame.location.lineNumber + 1}`
}

/** By way of the inspector, which reaches a thread that is in the midst of JavaScript. */
const endFromWithin = (): void => {
  const session = new Session()
  session.connectToMainThread()
  const files = new Map<string, string>()
  session.on('Debugger.scriptParsed', ({ params }) => {
    files.set(params.scriptId, params.url.replace('file://', ''))
  })
  session.on('Debugger.paused', ({ params: { callFrames } }) => {
    const where = callFrames.slice(0, mostCalls).map(frame => placeOf(frame, files))
    const [{ callFrameId } = { callFrameId: '' }] = callFrames
    const expression = `process.exit(${hungExitCode})`
    void tell({ code: hungExitCode, where: where.join(', ') }).finally(() =>
      session.post('Debugger.evaluateOnCallFrame', { callFrameId, expression }),
    )
  })
  session.post('Debugger.enable')
  session.post('Debugger.pause')
}

let last = 0
const heartbeat: Heartbeat = new Heartbeat({
  clock: {
    after: (ms, call) => {
      const timer = setTimeout(call, ms)
      return () => clearTimeout(timer)
    },
  },
  silenceMs,
  ask: () => {
    const now = Atomics.load(turns, 0)
    if (now !== last) heartbeat.heard()
    last = now
  },
  silent: () => {
    setTimeout(() => {
      void tell({ signal: 'SIGKILL' }).finally(kill)
    }, lastWordMs)
    endFromWithin()
  },
})
