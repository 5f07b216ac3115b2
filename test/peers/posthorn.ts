import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rootIsMeant } from './command.ts'

/** The checkout. */
export const root: string = fileURLToPath(new URL('../..', import.meta.url))

/** The `posthorn` program run as a stranger would run it. */
export interface Running {
  readonly pid: number
  readonly ports: Readonly<Record<string, number>>
  /** The port of a listener that must be there. */
  port(listener: 'mx' | 'submission' | 'submissions' | 'lmtp'): number
  /** All it printed on standard output after the first line, and on standard error. */
  output(): string
  /** Its exit code, when it ends by itself. */
  readonly ended: Promise<number | null>
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>
  /** SIGKILL, and wait for the end. */
  kill(): Promise<void>
}

/** The first line of standard output. */
interface Ready {
  readonly event: string
  readonly pid: number
  readonly listeners: Readonly<Record<string, { readonly port: number }>>
}

const fail = (why: string): never => {
  throw new Error(why)
}

/** SIGTERM; throws unless it ends in good order. */
export const stopCleanly = async (running: Running): Promise<void> => {
  const code = await running.stop()
  if (code !== 0) throw new Error(`it ended with ${code}: ${running.output().slice(-2000)}`)
}

/** Start an app's main file and wait for its ready line. */
export const startPosthorn = async (
  args: readonly string[],
  o: {
    readonly main?: string
    readonly env?: NodeJS.ProcessEnv
    readonly timeoutMs?: number
    /** A new file for all that it prints; nobody reads along then, as a bench wants it. */
    readonly logFile?: string
  } = {},
): Promise<Running> => {
  const program = o.main === undefined ? `${root}/apps/posthorn/bin/posthorn.js` : `${root}/node_modules/node/bin/node`
  // The launcher becomes the program, so that its process id is the program's.
  const log = o.logFile === undefined ? undefined : openSync(o.logFile, 'wx')
  const child = spawn(
    program,
    o.main === undefined
      ? [...args]
      : ['--disable-warning=ExperimentalWarning', '-C', '@posthorn/source', o.main, ...args],
    { env: { ...rootIsMeant, ...process.env, ...o.env }, stdio: ['ignore', log ?? 'pipe', log ?? 'pipe'], cwd: root },
  )
  if (log !== undefined) closeSync(log)
  const kept: string[] = []
  const keep = (chunk: unknown): void => {
    kept.push(String(chunk))
    if (kept.length > 2000) kept.splice(0, 1000)
  }
  child.stderr?.on('data', keep)
  const ended = new Promise<number | null>(resolve => child.once('exit', code => resolve(code)))
  const ready = new Promise<Ready>((resolve, reject) => {
    let text = ''
    const hasAll = (): boolean => {
      const end = text.indexOf('\n')
      if (end < 0) return false
      try {
        const line = JSON.parse(text.slice(0, end)) as Ready
        if (line.event === 'ready') resolve(line)
        // Else it is about to end and to say why, or the time will be up.
      } catch {
        reject(new Error(`the first line is not JSON: ${text}`))
      }
      return true
    }
    const first = (chunk: unknown): void => {
      text += String(chunk)
      if (!hasAll()) return
      child.stdout?.off('data', first)
      child.stdout?.on('data', keep)
      keep(text.slice(text.indexOf('\n') + 1))
    }
    child.stdout?.on('data', first)
    const { logFile } = o
    if (logFile !== undefined) {
      const looking = setInterval(() => {
        text = readFileSync(logFile, 'utf8')
        if (hasAll()) clearInterval(looking)
      }, 20)
      void ended.then(() => clearInterval(looking))
    }
    void ended.then(code => reject(new Error(`it ended with ${code} before it was ready: ${text}${kept.join('')}`)))
    setTimeout(() => reject(new Error(`not ready in time: ${text}${kept.join('')}`)), o.timeoutMs ?? 60_000).unref()
  })
  let line
  try {
    line = await ready
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
  const ports = Object.fromEntries(Object.entries(line.listeners).map(([name, l]) => [name, l.port]))
  return {
    pid: line.pid,
    ports,
    port: listener => ports[listener] ?? fail(`it has no listener ${listener}`),
    output: () => (o.logFile === undefined ? kept.join('') : readFileSync(o.logFile, 'utf8')),
    ended,
    stop: async () => {
      child.kill('SIGTERM')
      return ended
    },
    kill: async () => {
      process.kill(line.pid, 'SIGKILL')
      await ended
    },
  }
}
