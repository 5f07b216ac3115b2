import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Journal } from '@posthorn/contracts'
import { StackError } from '@posthorn/stack'
import { systemClock as clock } from '@posthorn/system'
import { Heartbeat } from './heartbeat.ts'
import type { Held } from './queue-operations.ts'
import { passLines, type LineStream } from './whole-lines.ts'
import type { WorkerOrder, WorkerSays, WorkerWord } from './worker-order.ts'

/** Before a worker that died is started again, in ms: twice as long each time that it dies soon. */
const shortestPause = 100
const longestPause = 30_000
/** Who lived so long did not die soon. */
const longLife = 60_000
/** How long a worker may take to begin, and, beyond its grace, to end. */
const beginMs = 60_000
const lastGraceMs = 15_000
/** How long it may take to answer an operator, who is told less then. */
const askMs = 2_000

// Written out, so that tools find it.
const built = import.meta.url.endsWith('.js')
const program = fileURLToPath(
  built ? new URL('./worker-main.js', import.meta.url) : new URL('./worker-main.ts', import.meta.url),
)

export interface WorkerProcessOptions {
  readonly order: WorkerOrder
  /** How long it may not answer before it counts as hung, in ms. */
  readonly silenceMs: number
  readonly journal: Journal
  /** Takes its log lines. */
  readonly log: LineStream
}

/** One worker, and its successors: it is started again whenever it ends unasked, and made to end when it hangs. */
export class WorkerProcess {
  readonly #o: WorkerProcessOptions
  #child: ChildProcess | undefined
  #pause = shortestPause
  #timer: NodeJS.Timeout | undefined
  #stopping = false
  #asked = 0
  readonly #asks = new Map<number, (why: readonly (string | null)[]) => void>()

  constructor(o: WorkerProcessOptions) {
    this.#o = o
  }

  /** Resolves when it listens. Rejects with StackError when it can't, and does not try again. */
  async start(): Promise<void> {
    try {
      await this.#begin()
    } catch (error) {
      this.#stopping = true
      throw error
    }
  }

  say(word: WorkerWord): void {
    // One that is about to end needs no word any more.
    if (this.#child?.connected === true) this.#child.send(word, () => undefined)
  }

  /** Why it does not try what it holds; nothing when it is busy with ending or beginning. */
  whyWait(held: readonly Held[]): Promise<readonly (string | null)[]> {
    if (this.#child?.connected !== true) return Promise.resolve([])
    const number = ++this.#asked
    return new Promise(resolve => {
      const answer = (why: readonly (string | null)[]): void => {
        clearTimeout(late)
        this.#asks.delete(number)
        resolve(why)
      }
      const late = setTimeout(() => answer([]), askMs)
      this.#asks.set(number, answer)
      this.say({ whyWait: { number, held } })
    })
  }

  /** Let it end its sessions and attempts; it is killed when it takes longer. Resolves when it is gone. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#timer)
    const child = this.#child
    if (child === undefined) return
    const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
    this.say({ stop: { graceMs } })
    const late = setTimeout(() => child.kill('SIGKILL'), graceMs + lastGraceMs)
    await gone
    clearTimeout(late)
  }

  #begin(): Promise<void> {
    const { order, journal, log } = this.#o
    const { number } = order.begin
    const born = performance.now()
    const child = fork(program, [String(number)], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
    this.#child = child
    if (child.stdout !== null) passLines(child.stdout, log)
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => child.kill('SIGKILL'), beginMs)
      let why: string | undefined
      let ready = false
      let heartbeat: Heartbeat | undefined
      child.on('message', (says: WorkerSays) => {
        heartbeat?.heard()
        if ('failed' in says) why = says.failed
        else if ('reasons' in says) this.#asks.get(says.reasons.number)?.(says.reasons.why)
        else if ('ready' in says) {
          clearTimeout(late)
          ready = true
          heartbeat = this.#watch(child)
          journal.event('worker.started', { worker: number, pid: child.pid })
          resolve()
        }
      })
      child.on('error', error => (why ??= error.message))
      child.once('exit', (code, signal) => {
        clearTimeout(late)
        heartbeat?.stop()
        this.#child = undefined
        const how = signal === null ? `with ${code}` : `by ${signal}`
        reject(new StackError(why ?? `worker ${number} ended ${how} before it listened`))
        const level = this.#stopping || code === 0 ? 'info' : 'error'
        journal.event('worker.ended', { worker: number, pid: child.pid, code, signal, why }, level)
        this.#again(ready && performance.now() - born > longLife)
      })
      child.send(order, () => undefined)
    })
  }

  /** SIGKILL at once: a loop that does not turn handles no other signal, and the owner has all that must survive. */
  #watch(child: ChildProcess): Heartbeat {
    const { order, silenceMs, journal } = this.#o
    const heartbeat: Heartbeat = new Heartbeat({
      clock,
      silenceMs,
      ask: () => {
        // It waits for who reads its log, and that is us.
        if (child.stdout?.isPaused() === true) heartbeat.heard()
        this.say({ ping: true })
      },
      silent: () => {
        journal.event('worker.hung', { worker: order.begin.number, pid: child.pid, silentMs: silenceMs }, 'error')
        child.kill('SIGKILL')
      },
    })
    return heartbeat
  }

  #again(livedLong: boolean): void {
    if (this.#stopping) return
    if (livedLong) this.#pause = shortestPause
    this.#timer = setTimeout(() => {
      // What went wrong is in the journal, and its end brings us here again.
      this.#begin().catch(() => undefined)
    }, this.#pause)
    this.#pause = Math.min(longestPause, this.#pause * 2)
  }
}
