import type { Site } from './site.ts'
import { Window } from './window.ts'

/** Attempts that share one bound on how many run at once in all: those over the network, and those to our own disk. */
export interface Pool {
  readonly limit: number
  running: number
  /** Sites that have something to start, each once, the one that waited longest first. */
  readonly ready: Set<Site>
}

/**
 * What limits attempts towards one place: a window of attempts at once and, if asked for, a rate. Usually one site's; the
 * `egress` hook may name a lane that several sites share.
 */
export class Lane {
  readonly name: string
  /** The window never grows beyond this. */
  readonly most: number
  readonly window: Window
  /** Sites that wait for room in it. */
  readonly blocked: Set<Site> = new Set()
  running = 0
  /** Messages a second; unlimited when undefined. */
  perSecond: number | undefined
  /** Monotonic ms before which the rate allows nothing. */
  nextAt = 0

  constructor(name: string, o: { readonly start: number; readonly most: number }) {
    this.name = name
    this.most = o.most
    this.window = new Window(o.start, o.most)
  }

  get hasRoom(): boolean {
    return this.running < this.window.size
  }
  /** Count `messages` against the rate. Idle time is not saved up: no bursts. */
  spend(messages: number, now: number): void {
    if (this.perSecond === undefined) return
    this.nextAt = Math.max(this.nextAt, now) + (messages * 1000) / this.perSecond
  }
}
